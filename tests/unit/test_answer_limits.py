"""What a vendor answers is bounded in size, time, depth and headers, and nothing of it is kept or followed."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from adapters.errors import OutcomeUnknown
from adapters.http import (
    MAX_RETRY_AFTER,
    HttpClient,
    NoAnswer,
    decoded_json,
    http_date,
    retry_after,
    translated_failures,
)
from adapters.http_engine import MAX_BODY_BYTES
from adapters.json_text import UnreadableJson

MAX_TEST_SECONDS = 20.0
"""Seconds after which a test fails because the client still waits."""


@asynccontextmanager
async def client_of(
    *answer: bytes, pause: float = 0, timeout: float = 10, heads: list[bytes] | None = None
) -> AsyncIterator[HttpClient]:
    """A client of a server that sends these pieces as its answer to each request, with a pause after each piece."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if heads is not None:
                    heads.append(head)
                for piece in answer:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(pause)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    client = HttpClient(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", timeout, timeout)
    try:
        yield client
    finally:
        await client.close()
        server.close()


def answer_with(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


async def failure_of(client: HttpClient) -> str:
    with pytest.raises(NoAnswer) as failure:
        async with asyncio.timeout(MAX_TEST_SECONDS):
            await client.request("GET", "/")
    return str(failure.value)


async def test_compressed_answer_is_read() -> None:
    async with client_of(answer_with(gzip.compress(b'{"a": 1}'), "Content-Encoding: gzip")) as client:
        assert decoded_json((await client.request("GET", "/")).content) == {"a": 1}


@pytest.mark.parametrize(
    ("body", "encoding", "failure"),
    [
        (b" " * (MAX_BODY_BYTES + 1), "identity", "AnswerTooLarge"),
        (gzip.compress(b" " * (MAX_BODY_BYTES + 1)), "gzip", "AnswerTooLarge"),
        (gzip.compress(gzip.compress(b" " * (50 * MAX_BODY_BYTES))), "gzip, gzip", "UnreadableEncoding"),
        (gzip.compress(b'{"a": 1}')[:-4], "gzip", "UnreadableEncoding"),
        (gzip.compress(b'{"a": 1}') + b"more", "gzip", "UnreadableEncoding"),
        (b"not compressed", "gzip", "UnreadableEncoding"),
        (b"{}", "br", "UnreadableEncoding"),
    ],
    ids=["large", "inflated", "inflated-twice", "cut-off", "with-a-tail", "not-gzip", "another-encoding"],
)
async def test_answer_beyond_the_limits_of_a_body_is_no_answer(body: bytes, encoding: str, failure: str) -> None:
    async with client_of(answer_with(body, f"Content-Encoding: {encoding}")) as client:
        assert await failure_of(client) == failure


async def test_body_that_never_ends_ends_at_the_limit() -> None:
    piece = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with client_of(head, *[piece] * 10_000) as client:
        assert await failure_of(client) == "AnswerTooLarge"


async def test_answer_that_drips_ends_after_its_time() -> None:
    """No pause on the socket is as long as the timeout for silence."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
    async with client_of(head, *[b" "] * 100_000, pause=0.02, timeout=0.3) as client:
        assert await failure_of(client) == "ReadTimeout"


async def test_headers_that_drip_end_after_their_time() -> None:
    async with client_of(b"HTTP/1.1 200 OK\r\n", *[b"X: y\r\n"] * 120, pause=0.05, timeout=0.3) as client:
        assert await failure_of(client) == "ReadTimeout"


@pytest.mark.parametrize("headers", [[f"X-{i}: y" for i in range(500)], ["X: " + "y" * 20_000]], ids=["many", "long"])
async def test_answer_with_too_many_or_too_long_headers_is_no_answer(headers: list[str]) -> None:
    async with client_of(answer_with(b"{}", *headers)) as client:
        assert await failure_of(client)


async def test_cookies_of_a_vendor_are_not_sent_back() -> None:
    heads: list[bytes] = []
    async with client_of(answer_with(b"{}", "Set-Cookie: session=of-a-vendor; Path=/"), heads=heads) as client:
        for _ in range(2):
            await client.request("GET", "/")
    assert len(heads) == 2
    assert b"cookie" not in heads[1].lower()


async def test_redirect_to_nowhere_is_an_answer_like_any_other() -> None:
    async with client_of(answer_with(b"", "Location: http://[not-a-host/", status="302 Found")) as client:
        assert (await client.request("GET", "/")).status_code == 302


async def test_write_whose_answer_is_too_large_has_an_unknown_outcome() -> None:
    async with client_of(answer_with(b" " * (MAX_BODY_BYTES + 1))) as client:
        with pytest.raises(OutcomeUnknown, match="AnswerTooLarge"), translated_failures("POST /rows"):
            await client.request("POST", "/rows")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "[" * 100_000 + "]" * 100_000,
        '{"a":' * 300 + "1" + "}" * 300,
        "[" + "[]," * 200_000 + "[]]",
        "[" + "1," * 1_500_000 + "1]",
        "1" * 10_000,
        "<html>",
        "",
        "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
    ],
    ids=["open", "deep", "deep-objects", "many-lists", "many-values", "long-number", "html", "empty", "bytes"],
)
def test_json_beyond_the_limits_is_unreadable(text: str) -> None:
    with pytest.raises(UnreadableJson):
        decoded_json(text.encode())


def test_json_of_ordinary_rows_is_read() -> None:
    rows = [{"id": str(i), "links": [{"id": i}], "note": "[[[{{{"} for i in range(2000)]
    assert decoded_json(json.dumps({"data": rows}).encode()) == {"data": rows}


@pytest.mark.parametrize("value", [1, None, "text", 1.5, True, [], {}])
def test_json_of_any_kind_is_read(value: object) -> None:
    assert decoded_json(json.dumps(value).encode()) == value


def test_date_without_a_zone_is_utc() -> None:
    assert http_date("Tue, 12 Jan 2027 09:00:00 -0000") == datetime(2027, 1, 12, 9, tzinfo=UTC)
    assert http_date("Tue, 12 Jan 2027 09:00:00 +0100") == datetime(2027, 1, 12, 8, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "soon", "Tue, 99 Jan 2027 09:00:00 +0000", "1", ",", "Mon, 1 Jan 99999 0:0:0 +0"])
def test_unreadable_date_is_none(text: str) -> None:
    assert http_date(text) is None


def test_retry_after_a_date_without_a_zone_is_obeyed() -> None:
    response = httpx.Response(429, headers={"retry-after": "Tue, 12 Jan 2027 09:00:00 -0000"}, content=b"")
    assert retry_after(response) in (MAX_RETRY_AFTER, timedelta(0))
