"""The endpoint that decodes for Temporal's UI."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from temporalio.api.common.v1 import Payload, Payloads

import adapters.http
import worker
from demo.stack import free_port
from runtime.codec import EncryptionCodec, Keyring
from runtime.ops import FINISHES_WITHIN, MOST_BYTES, AddressTaken, ops_app, serve

CODEC = EncryptionCodec(Keyring({"k": b"k" * 32}), "default")
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'"canary"')
ORIGIN = "http://127.0.0.1:8233"


def http(token: str = "", ready: bool = True) -> httpx.AsyncClient:
    app = ops_app(CODEC, lambda: ready, origin=ORIGIN, token=token)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://worker")


async def sealed() -> dict[str, object]:
    return dict(MessageToDict(Payloads(payloads=await CODEC.encode([PLAIN]))))


async def test_what_was_encrypted_is_decoded_for_the_pinned_origin_only() -> None:
    async with http() as client:
        answer = await client.post("/codec/decode", json=await sealed(), headers={"Origin": ORIGIN})
        assert list(ParseDict(answer.json(), Payloads()).payloads) == [PLAIN]
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert answer.headers["cache-control"] == "no-store"
        other = await client.post("/codec/decode", json=await sealed(), headers={"Origin": "http://evil.example"})
        assert "access-control-allow-origin" not in other.headers


async def test_without_the_token_nothing_is_decoded() -> None:
    async with http(token="t" * 32) as client:
        assert (await client.post("/codec/decode", json=await sealed())).status_code == 401
        strange = {b"Authorization": "Bearer \u00e9".encode()}
        assert (await client.post("/codec/decode", json=await sealed(), headers=strange)).status_code == 401
        allowed = {"Authorization": "Bearer " + "t" * 32}
        assert (await client.post("/codec/decode", json=await sealed(), headers=allowed)).status_code == 200


async def test_what_cannot_be_read_is_refused_without_a_crash() -> None:
    async with http() as client:
        foreign = await EncryptionCodec(Keyring({"k": b"x" * 32}), "default").encode([PLAIN])
        answer = await client.post("/codec/decode", json=MessageToDict(Payloads(payloads=foreign)))
        assert (answer.status_code, answer.json()) == (400, {"error": "DecryptionError"})
        strange_id = b'{"payloads": [{"metadata": {"encryption-key-id": "/w=="}}]}'
        for content in (b"no json", b"1", b"[" * 100_000):
            assert (await client.post("/codec/decode", content=content)).status_code == 400
        assert (await client.post("/codec/decode", content=strange_id)).status_code == 200


async def test_of_what_is_too_large_no_more_is_taken_in_than_is_needed_to_see_it() -> None:
    taken: list[bytes] = []

    async def endless() -> AsyncIterator[bytes]:
        while len(taken) < 100:
            taken.append(b" " * 1024 * 1024)
            yield taken[-1]

    async with http() as client:
        assert (await client.post("/codec/decode", content=endless())).status_code == 413
    assert sum(map(len, taken)) < 2 * MOST_BYTES


async def test_readiness_follows_the_workers() -> None:
    async with http(ready=False) as client:
        assert (await client.get("/ready")).status_code == 503
        assert (await client.get("/live")).status_code == 200


async def test_who_never_finishes_asking_does_not_keep_the_process_from_ending() -> None:
    port, end = free_port(0), asyncio.Event()

    async def process() -> None:
        async with serve(ops_app(CODEC, lambda: True, origin=ORIGIN, token=""), f"127.0.0.1:{port}"):
            await end.wait()

    running = asyncio.create_task(process())
    writer = await connected(port)
    writer.write(b"POST /codec/decode HTTP/1.1\r\nHost: worker\r\nContent-Length: 1000\r\n\r\n{")
    await writer.drain()
    await asyncio.sleep(0.3)
    end.set()
    done, _ = await asyncio.wait([running], timeout=FINISHES_WITHIN + 10)
    writer.close()
    await running
    assert done, "it had to be let go from outside"


async def connected(port: int) -> asyncio.StreamWriter:
    """As soon as somebody listens there."""
    while True:
        with contextlib.suppress(ConnectionRefusedError):
            return (await asyncio.open_connection("127.0.0.1", port))[1]
        await asyncio.sleep(0.05)


async def test_to_serve_does_not_let_loggers_speak_again_that_would_tell_addresses() -> None:
    assert adapters.http
    async with serve(ops_app(CODEC, lambda: True, origin=ORIGIN, token=""), f"127.0.0.1:{free_port(0)}"):
        assert all(logging.getLogger(name).disabled for name in ("aiohttp.client", "aiohttp.internal"))


def test_an_address_of_metrics_that_is_taken_is_a_reason() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings: Any = SimpleNamespace(metrics_address=f"127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(AddressTaken, match=f"METRICS_ADDRESS: {settings.metrics_address}: .* in use"):
            worker._runtime(settings)
