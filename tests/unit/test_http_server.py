"""What a caller may send over HTTP, and what is answered to one who sends too much, too slowly or too deep."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from structlog.testing import capture_logs

from devstack import free_port
from runtime.http_server import AddressUnavailable, HttpLimits, http_app, problem, read_body, serve

LIMITS = HttpLimits(headers_timeout=0.5, body_timeout=0.5, header_bytes=2000, headers=10, connections=5)
POST = b"POST /echo HTTP/1.1\r\nHost: holdfast\r\n"


async def echo(request: Request) -> Response:
    body = await read_body(request, 1000)
    return problem(413, "The body is too large.") if body is None else JSONResponse({"bytes": len(body)})


async def fail(_: Request) -> Response:
    raise ZeroDivisionError("Zebulon Canary")


@dataclass
class Answer:
    status: int
    content: Any
    headers: str


@asynccontextmanager
async def running_server() -> AsyncIterator[int]:
    port = free_port(0)
    app = http_app([Route("/echo", echo, methods=["POST"]), Route("/fail", fail)])
    async with serve(app, f"127.0.0.1:{port}", "WEB_ADDRESS", LIMITS):
        yield port


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async with running_server() as port:
        yield port


async def send(port: int, *parts: bytes, pause: float = 0.0) -> Answer | None:
    """Sends the parts, then reads until the server closes; ``None`` if it answers nothing within five seconds."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
        raw = await asyncio.wait_for(reader.read(), timeout=5)
    except (TimeoutError, ConnectionError):
        return None
    finally:
        writer.close()
    head, _, body = raw.partition(b"\r\n\r\n")
    return Answer(int(head.split()[1]), json.loads(body), head.decode().lower()) if raw else None


async def drip(port: int, first: bytes, drop: bytes) -> list[int]:
    """Sends ``first``, then ``drop`` ten times a second until the server closes. Returns the answers' statuses."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    reading = asyncio.create_task(reader.read())
    writer.write(first)
    for _ in range(50):
        await asyncio.wait([reading], timeout=0.1)
        if reading.done():
            break
        writer.write(drop)
    writer.close()
    return [int(status) for status in re.findall(rb"HTTP/1.1 (\d+)", await asyncio.wait_for(reading, timeout=1))]


def assert_problem(answer: Answer | None, status: int) -> None:
    assert answer is not None
    assert (answer.status, answer.content["status"]) == (status, status)
    assert answer.content["detail"].endswith(".")
    assert "application/problem+json" in answer.headers


async def test_complete_request_is_answered(port: int) -> None:
    answer = await send(port, POST + b"Connection: close\r\nContent-Length: 4\r\n\r\nabcd")
    assert answer == Answer(200, {"bytes": 4}, answer.headers if answer else "")


@pytest.mark.parametrize(
    "half",
    [b"", b"POST /ec", POST, POST + b"X-Never: ends", POST + b"Content-Length: 10\r\n\r\nabc"],
    ids=["nothing", "request line", "headers", "one header", "body"],
)
async def test_half_a_request_times_out(port: int, half: bytes) -> None:
    assert_problem(await send(port, half), 408)


@pytest.mark.parametrize(
    ("first", "drop"),
    [(b"POST /", b"e"), (POST + b"X-Never: e", b"e"), (POST + b"Content-Length: 999\r\n\r\n", b"b")],
    ids=["request line", "headers", "body"],
)
async def test_request_that_drips_times_out_although_bytes_keep_coming(port: int, first: bytes, drop: bytes) -> None:
    assert await drip(port, first, drop) == [408]


async def test_blank_lines_after_an_answer_do_not_keep_a_connection_open(port: int) -> None:
    assert await drip(port, POST + b"Content-Length: 0\r\n\r\n", b"\r\n") == [200, 408]


@pytest.mark.parametrize(
    "headers",
    [
        b"".join(b"X-%d: x\r\n" % i for i in range(20)),
        b"X-Long: " + b"x" * 3000 + b"\r\n",
        b"X" * 3000 + b": x\r\n",
    ],
    ids=["many", "long value", "long name"],
)
@pytest.mark.parametrize("is_complete", [True, False])
async def test_headers_have_a_number_and_a_size(port: int, headers: bytes, is_complete: bool) -> None:
    assert_problem(await send(port, POST, headers.removesuffix(b"\r\n") + (b"\r\n\r\n" if is_complete else b"")), 431)


async def test_request_line_has_a_size(port: int) -> None:
    assert_problem(await send(port, b"GET /" + b"x" * 3000 + b" HTTP/1.1\r\n\r\n"), 431)


async def test_what_is_not_http_is_refused_in_a_sentence(port: int) -> None:
    for raw in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", b"HELO mail\r\n\r\n", POST + b"Content-Length: x\r\n\r\n"):
        assert_problem(await send(port, raw), 400)


async def test_unknown_path_and_method_are_refused_in_a_sentence(port: int) -> None:
    assert_problem(await send(port, b"GET /none HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), 404)
    assert_problem(await send(port, b"GET /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), 405)


async def test_error_of_ours_is_answered_and_logged_without_its_text(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    with capture_logs() as logs:
        answer = await send(port, b"GET /fail HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert_problem(answer, 500)
    [entry] = logs
    assert (entry["event"], entry["error"]) == ("http_request_failed", "ZeroDivisionError")
    assert entry["raised_at"].startswith("test_http_server.py:")
    assert "Canary" not in str(entry) + str(answer) + caplog.text


async def test_upload_that_its_sender_aborts_leaves_nothing_in_the_log(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    with capture_logs() as logs:
        for _ in range(5):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(POST + b"Content-Length: 500\r\n\r\nabc")
            await writer.drain()
            await asyncio.sleep(0.05)
            writer.transport.abort()
        await asyncio.sleep(0.2)
    assert logs == []
    assert "Traceback" not in caplog.text


async def test_connections_beyond_the_limit_are_refused_and_the_others_still_work(port: int) -> None:
    held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(LIMITS.connections)]
    await asyncio.sleep(0.1)
    assert_problem(await send(port), 503)
    reader, writer = held[0]
    writer.write(POST + b"Connection: close\r\nContent-Length: 4\r\n\r\nabcd")
    assert b"200 OK" in await reader.read()
    for _, writer in held:
        writer.close()


async def test_four_hundred_half_sent_requests_do_not_keep_a_caller_out() -> None:
    """Each is closed when its time is over, and then there is room again."""
    async with running_server() as port:
        halves = []
        for _ in range(400):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(POST)
            halves.append(writer)
        await asyncio.sleep(LIMITS.headers_timeout + 0.5)
        answer = await send(port, POST + b"Connection: close\r\nContent-Length: 1\r\n\r\na")
        assert answer is not None
        assert answer.status == 200
        for writer in halves:
            writer.close()


async def test_address_in_use_is_named_with_its_setting(port: int) -> None:
    with pytest.raises(AddressUnavailable, match=f"WEB_ADDRESS: cannot listen on 127.0.0.1:{port}: Address already"):
        async with serve(http_app([]), f"127.0.0.1:{port}", "WEB_ADDRESS"):
            pass
