"""A call is made once, and what is known of it afterwards is told exactly."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import parse_qsl

import httpx
import pytest

from adapters.http import LONGEST_REST, HttpClient, NoAnswer, NotSent, rest_until, retry_after

DONE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
ELSEWHERE = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
Reply = Callable[[str], bytes | None]
"""What to send back to a request line; ``None``: hang up."""


@asynccontextmanager
async def server(reply: Reply, seen: list[str], patience: float = 30) -> AsyncIterator[HttpClient]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                seen.append(head.partition(b" HTTP")[0].decode())
                answer = reply(seen[-1])
                if answer is None:
                    break
                writer.write(answer)
        except asyncio.IncompleteReadError:
            pass
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    client = HttpClient(f"http://127.0.0.1:{port}/", patience, patience)
    try:
        yield client
    finally:
        await client.close()
        listening.close()


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
async def test_what_was_lost_on_a_kept_connection_is_not_asked_again(method: str) -> None:
    seen: list[str] = []
    async with server(lambda line: None if line.endswith("/lost") else DONE, seen) as client:
        assert (await client.request("GET", "/first")).json() == {}
        with pytest.raises(NoAnswer):
            await client.request(method, "/lost")
    assert seen == ["GET /first", f"{method} /lost"]


async def test_silence_is_no_answer() -> None:
    async with server(lambda _: b"", [], patience=0.2) as client:
        with pytest.raises(NoAnswer):
            await client.request("GET", "/")


async def test_half_an_answer_is_none() -> None:
    async with server(lambda _: DONE[:-1], [], patience=0.2) as client:
        with pytest.raises(NoAnswer):
            await client.request("GET", "/")


async def test_where_nobody_listens_nothing_was_sent() -> None:
    async with server(lambda _: DONE, []) as listening:
        client = HttpClient(listening.base_url, 30, 30)
    with pytest.raises(NotSent):
        await client.request("POST", "/")
    await client.close()


async def test_a_redirect_is_not_followed() -> None:
    seen: list[str] = []
    async with server(lambda _: ELSEWHERE, seen) as client:
        assert (await client.request("GET", "/here")).status_code == 302
    assert seen == ["GET /here"]


async def test_a_filter_arrives_as_it_was_meant() -> None:
    seen: list[str] = []
    async with server(lambda _: DONE, seen) as client:
        await client.request("GET", "/rows", params={"filter": "start>=2027-01-04T00:00:00.000Z,a==1&b+c d%20"})
    assert parse_qsl(seen[0].partition("?")[2]) == [("filter", "start>=2027-01-04T00:00:00.000Z,a==1&b+c d%20")]


@pytest.mark.parametrize("content", [None, {"a": 1}, {"a": "x" * 3_000_000}])
async def test_what_may_not_leave_any_more_is_not_sent(content: object) -> None:
    seen: list[str] = []
    async with server(lambda _: DONE, seen) as client:
        with pytest.raises(NotSent):
            await client.request("POST", "/late", content=content, until=datetime.now(UTC))
        await client.request("POST", "/early", until=datetime.now(UTC) + timedelta(seconds=60))
    assert seen == ["POST /early"]


def in_days(days: int) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(days=days), usegmt=True)


@pytest.mark.parametrize(
    ("header", "rest"),
    [
        ("7", timedelta(seconds=7)),
        ("86400", LONGEST_REST),
        ("9" * 400, LONGEST_REST),
        pytest.param(in_days(1), LONGEST_REST, id="tomorrow"),
        pytest.param(in_days(-1), timedelta(0), id="yesterday"),
        ("soon", None),
    ],
)
def test_we_rest_as_long_as_we_are_asked_to_but_never_more_than_an_hour(header: str, rest: timedelta | None) -> None:
    assert retry_after(httpx.Response(429, headers={"retry-after": header}, content=b"")) == rest


def test_a_moment_at_which_calls_are_welcome_again_is_kept_to_for_an_hour_at_most() -> None:
    now = int(datetime.now(UTC).timestamp())
    assert timedelta(seconds=50) < (rest_until(str(now + 60)) or LONGEST_REST) <= timedelta(seconds=60)
    assert rest_until(str(now - 60)) == timedelta(0)
    assert rest_until(str(1000 * now)) == rest_until("9" * 400) == LONGEST_REST
    assert rest_until("soon") is None
