"""A vendor that answers garbage: a proxy in front of the sandbox that garbles its answers."""

import asyncio
import gzip
import json
import random
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

VALUES: tuple[Any, ...] = (
    *(None, "", 0, -1, 5, True, False, 0.5, 10**30, "x", "x" * 10_000, "A" + " " * 12_000 + "Z", "\x00", "\x1b[2J"),
    *([], [None], [[]], {}, {"id": None}, {"id": []}, [{"id": {}}], ["x"] * 300, "9" * 5000, "٣", "1e999"),
    *("0001-01-01T00:00:00", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "2027-02-30", "24:00"),
)
STATUSES = (200, 200, 200, 201, 204, 302, 400, 401, 403, 404, 408, 409, 418, 422, 429, 500, 503, 599)
Garble = Callable[[random.Random, int, bytes], list[bytes]]
"""From the status and body of the real answer, the pieces of bytes to send instead."""


def mutate_values(rng: random.Random, status: int, body: bytes) -> list[bytes]:
    """The real answer with some of its values replaced or missing."""
    try:
        value = json.loads(body)
    except ValueError:
        return answer(status, body)
    for _ in range(rng.choice((1, 1, 2, 5))):
        value = _mutated(rng, value)
    return answer(status, json.dumps(value).replace('"1e999"', "1e999").encode())


def _mutated(rng: random.Random, value: Any) -> Any:
    if not isinstance(value, dict | list) or not value or rng.random() < 0.05:
        return rng.choice(VALUES)
    if isinstance(value, list):
        at = rng.randrange(len(value))
        return [_mutated(rng, each) if index == at else each for index, each in enumerate(value)]
    name = rng.choice(list(value))
    if rng.random() < 0.1:
        return {key: each for key, each in value.items() if key != name}
    return {**value, name: _mutated(rng, value[name])}


def mutate_field(rng: random.Random, status: int, body: bytes) -> list[bytes]:
    """The real answer with one garbage value wherever a field of one name stands."""
    try:
        value = json.loads(body)
    except ValueError:
        return answer(status, body)
    names = sorted(set(_names_in(value)))
    if not names:
        return answer(status, body)
    changed = _with_field(value, rng.choice(names), rng.choice(VALUES))
    return answer(status, json.dumps(changed).replace('"1e999"', "1e999").encode())


def garble_field(name: str, garbage: Any) -> Garble:
    """Garbage wherever a field of this name stands, and nothing else."""

    def garble(_: random.Random, status: int, body: bytes) -> list[bytes]:
        return answer(status, json.dumps(_with_field(json.loads(body), name, garbage)).encode())

    return garble


def _names_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _names_in(each)


def _with_field(value: Any, name: str, garbage: Any) -> Any:
    if isinstance(value, list):
        return [_with_field(each, name, garbage) for each in value]
    if not isinstance(value, dict):
        return value
    return {key: garbage if key == name else _with_field(each, name, garbage) for key, each in value.items()}


def replace_body(rng: random.Random, status: int, body: bytes) -> list[bytes]:
    """A body of the wrong kind, of the wrong size, or none."""
    bodies = (
        *(b"", b"<html>", b"\xff\xfe", b"null", b"[]", b"{}", b"5", b'"x"', b"NaN", b"[" * 100_000, b'{"data":' * 5000),
        *(b'{"data": [' + b"{}," * 1000 + b"{}]}", b'{"data": [[[]]], "page_info": 5}', b" " * 5_000_000),
        body[: len(body) // 2],
    )
    return answer(rng.choice((status, 200)), rng.choice(bodies))


def replace_status(rng: random.Random, _status: int, body: bytes) -> list[bytes]:
    headers = rng.choice(
        (
            (),
            ("Retry-After: -1",),
            ("Retry-After: " + "9" * 4000,),
            ("Retry-After: Tue, 12 Jan 2027 09:00:00 -0000",),
            ("X-RateLimit-Reset: " + "9" * 400,),
            ("Location: http://[/", "Set-Cookie: a=b"),
            ("X-Message-Id: " + "x" * 4000,),
        )
    )
    return answer(rng.choice(STATUSES), body, *headers)


def break_transfer(rng: random.Random, _status: int, body: bytes) -> list[bytes]:
    """An answer that is no HTTP, is cut off, does not end, or inflates."""
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    bomb = gzip.compress(b" " * 20_000_000)
    return rng.choice(
        (
            [],
            [b"\x00" * 100],
            [b"HTTP/1.1 999 \r\n\r\n"],
            [b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", body[:10]],
            [b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"],
            [b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(500)) + b"\r\n"],
            [b"HTTP/1.1 200 OK\r\nX: " + b"y" * 20_000 + b"\r\n\r\n"],
            [chunked, *[b"10000\r\n" + b" " * 0x10000 + b"\r\n"] * 100],
            [chunked, b"zz\r\n"],
            answer(200, bomb, "Content-Encoding: gzip"),
            answer(200, gzip.compress(bomb), "Content-Encoding: gzip, gzip"),
            answer(200, body, "Content-Encoding: gzip"),
            answer(200, body, "Content-Encoding: br"),
        )
    )


GARBLES: tuple[Garble, ...] = (
    *(mutate_field, mutate_field, mutate_field, mutate_field, mutate_values),
    *(replace_body, replace_status, break_transfer),
)


def answer(status: int, body: bytes, *headers: str) -> list[bytes]:
    head = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Content-Type: application/json", *headers]
    return ["\r\n".join([*head, "Connection: close"]).encode("latin-1") + b"\r\n\r\n" + body]


@dataclass
class GarbageVendor:
    url: str
    rng: random.Random | None = None
    """Garbles every answer, if it is set."""
    garbles: Sequence[Garble] = GARBLES
    garbled: int = 0


@asynccontextmanager
async def garbage_vendor(sandbox_url: str) -> AsyncIterator[GarbageVendor]:
    """The sandbox behind a proxy. Closes each connection after one answer."""
    async with httpx.AsyncClient(base_url=sandbox_url, timeout=30, trust_env=False) as sandbox:

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                for piece in await _answer(reader):
                    writer.write(piece)
                    await writer.drain()
            except (asyncio.IncompleteReadError, OSError):
                pass
            finally:
                writer.close()

        async def _answer(reader: asyncio.StreamReader) -> list[bytes]:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            request_line, *lines = head.split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
            body = await reader.readexactly(int(headers.pop("content-length", "0")))
            headers.pop("host", None)
            method, target, _ = request_line.split(" ")
            response = await sandbox.request(method, target, content=body, headers=headers)
            if vendor.rng is None:
                return answer(response.status_code, response.content)
            vendor.garbled += 1
            return vendor.rng.choice(vendor.garbles)(vendor.rng, response.status_code, response.content)

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        vendor = GarbageVendor(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        try:
            yield vendor
        finally:
            server.close()
