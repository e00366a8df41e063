"""The worker's HTTP endpoint: health, and the codec for Temporal's UI."""

import asyncio
import contextlib
import json
import logging
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator

import httpx
import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from starlette.applications import Starlette
from structlog.testing import capture_logs
from temporalio.api.common.v1 import Payload, Payloads

import adapters.http
from devstack import ROOT, free_port
from runtime.codec import EncryptionCodec
from runtime.codec_process import MAX_PAYLOADS, CodecProcess, Direction
from runtime.http_server import SHUTDOWN_TIMEOUT, AddressUnavailable, serve
from runtime.keys import Keyring
from runtime.ops import MAX_BODY_BYTES, ops_app
from runtime.telemetry import create_runtime

CODEC = EncryptionCodec(Keyring({"k": b"k" * 32}), "default")
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'"canary"')
ORIGIN = "http://127.0.0.1:8233"


def new_app(token: str = "", ready: bool = True) -> Starlette:
    return ops_app(CodecProcess({"k": b"k" * 32}, "default"), lambda: ready, origin=ORIGIN, token=token)


def codec_client(token: str = "", ready: bool = True) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=new_app(token, ready)), base_url="http://localhost")


async def encrypted_body() -> dict[str, object]:
    return dict(MessageToDict(Payloads(payloads=await CODEC.encode([PLAIN]))))


async def test_payloads_are_decoded_for_the_configured_origin_only() -> None:
    async with codec_client() as client:
        answer = await client.post("/codec/decode", json=await encrypted_body(), headers={"Origin": ORIGIN})
        assert list(ParseDict(answer.json(), Payloads()).payloads) == [PLAIN]
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert answer.headers["cache-control"] == "no-store"
        other = await client.post(
            "/codec/decode", json=await encrypted_body(), headers={"Origin": "http://evil.example"}
        )
        assert "access-control-allow-origin" not in other.headers


async def test_without_the_token_nothing_is_decoded() -> None:
    async with codec_client(token="t" * 32) as client:
        assert (await client.post("/codec/decode", json=await encrypted_body())).status_code == 401
        not_ascii = {b"Authorization": "Bearer \u00e9".encode()}
        assert (await client.post("/codec/decode", json=await encrypted_body(), headers=not_ascii)).status_code == 401
        allowed = {"Authorization": "Bearer " + "t" * 32}
        assert (await client.post("/codec/decode", json=await encrypted_body(), headers=allowed)).status_code == 200


async def test_every_use_of_the_codec_is_logged_with_who_how_many_and_which_keys() -> None:
    async with codec_client() as client:
        with capture_logs() as lines:
            await client.post("/codec/decode", json=await encrypted_body())
            await client.post("/codec/encode", json=MessageToDict(Payloads(payloads=[PLAIN])))
    assert [(line["event"], line["client"], line["payloads"], line["keys"]) for line in lines] == [
        ("payloads_decoded", "127.0.0.1", 1, ["k"]),
        ("payloads_encoded", "127.0.0.1", 1, [""]),
    ]
    assert "canary" not in str(lines)


async def test_unreadable_input_is_answered_with_400() -> None:
    async with codec_client() as client:
        with_other_key = await EncryptionCodec(Keyring({"k": b"x" * 32}), "default").encode([PLAIN])
        answer = await client.post("/codec/decode", json=MessageToDict(Payloads(payloads=with_other_key)))
        assert (answer.status_code, answer.json()) == (400, {"error": "DecryptionError"})
        undecodable_key_id = b'{"payloads": [{"metadata": {"encryption-key-id": "/w=="}}]}'
        for content in (b"no json", b"1", b"[" * 100_000):
            assert (await client.post("/codec/decode", content=content)).status_code == 400
        assert (await client.post("/codec/decode", content=undecodable_key_id)).status_code == 200


async def test_reading_stops_when_a_body_is_too_large() -> None:
    sent_chunks: list[bytes] = []

    async def endless_body() -> AsyncIterator[bytes]:
        while len(sent_chunks) < 100:
            sent_chunks.append(b" " * 1024 * 1024)
            yield sent_chunks[-1]

    async with codec_client() as client:
        assert (await client.post("/codec/decode", content=endless_body())).status_code == 413
    assert sum(map(len, sent_chunks)) < 2 * MAX_BODY_BYTES


async def test_codec_is_not_reached_under_a_foreign_host_name() -> None:
    """A web page may let its own name point to this machine."""
    async with codec_client() as client:
        for path in ("/codec/decode", "/codec/encode"):
            rebound = await client.post(path, json=await encrypted_body(), headers={"Host": "evil.example:8081"})
            assert rebound.status_code == 421
        assert (await client.get("/live", headers={"Host": "10.0.0.7:8081"})).status_code == 200


@pytest.mark.parametrize("direction", Direction)
async def test_health_is_answered_while_the_codec_is_flooded(direction: Direction) -> None:
    flood = b'{"payloads": [' + b"{}," * 150_000 + b"{}]}"
    async with codec_client() as client:
        await client.post(f"/codec/{direction}", json={"payloads": []})  # starts its process
        flooding = [asyncio.create_task(client.post(f"/codec/{direction}", content=flood)) for _ in range(5)]
        slowest = 0.0
        while not all(task.done() for task in flooding):
            started_at = time.monotonic()
            assert (await client.get("/live")).status_code == 200
            slowest = max(slowest, time.monotonic() - started_at)
            await asyncio.sleep(0.01)
        assert slowest < 0.5
        for answer in [await task for task in flooding]:
            assert (answer.status_code, answer.json()) == (
                400,
                {"error": f"At most {MAX_PAYLOADS} payloads are allowed."},
            )


async def test_call_that_takes_too_long_ends_and_the_next_one_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    async with codec_client() as client:
        monkeypatch.setattr("runtime.codec_process.MAX_SECONDS", 0)
        assert (await client.post("/codec/decode", json=await encrypted_body())).status_code == 503
        monkeypatch.setattr("runtime.codec_process.MAX_SECONDS", 20)
        assert (await client.post("/codec/decode", json=await encrypted_body())).status_code == 200


async def test_readiness_follows_the_workers() -> None:
    async with codec_client(ready=False) as client:
        assert (await client.get("/ready")).status_code == 503
        assert (await client.get("/live")).status_code == 200


async def test_request_that_never_ends_does_not_block_shutdown() -> None:
    port, stop = free_port(0), asyncio.Event()

    async def serve_until_stopped() -> None:
        async with serve(new_app(), f"127.0.0.1:{port}", "TEST"):
            await stop.wait()

    running = asyncio.create_task(serve_until_stopped())
    writer = await connect(port)
    writer.write(b"POST /codec/decode HTTP/1.1\r\nHost: worker\r\nContent-Length: 1000\r\n\r\n{")
    await writer.drain()
    await asyncio.sleep(0.3)
    stop.set()
    done, _ = await asyncio.wait([running], timeout=SHUTDOWN_TIMEOUT + 10)
    writer.close()
    await running
    assert done, "the server waited for the unfinished request"


async def connect(port: int) -> asyncio.StreamWriter:
    """Connects as soon as the server listens."""
    while True:
        with contextlib.suppress(ConnectionRefusedError):
            return (await asyncio.open_connection("127.0.0.1", port))[1]
        await asyncio.sleep(0.05)


async def test_serving_does_not_enable_silenced_loggers() -> None:
    assert adapters.http
    async with serve(new_app(), f"127.0.0.1:{free_port(0)}", "TEST"):
        assert all(logging.getLogger(name).disabled for name in ("aiohttp.client", "aiohttp.internal"))


def test_metrics_address_in_use_is_reported() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(AddressUnavailable, match=f"METRICS_ADDRESS: .* {address}: .* in use"):
            create_runtime(address)


CORE_LINES = """
import logging
from types import SimpleNamespace
from runtime.logs import configure_logging
from runtime.telemetry import CORE_LOGGER, RETRY_TARGET, create_runtime

configure_logging("json", "INFO")
create_runtime("")
logger = logging.getLogger(CORE_LOGGER)
for target, text in ((RETRY_TARGET, "retried"), ("temporalio_sdk_core::worker", "said")):
    extra = {"temporal_log": SimpleNamespace(target=target)}
    logger.handle(logger.makeRecord(logger.name, 30, "", 0, text, (), None, None, extra))
"""


def test_line_of_the_sdks_core_is_in_our_format_and_its_retries_are_left_out() -> None:
    result = subprocess.run([sys.executable, "-c", CORE_LINES], cwd=ROOT, capture_output=True, text=True, check=True)
    (line,) = result.stderr.splitlines()
    assert json.loads(line) == {"event": "said", "level": "warning", "timestamp": json.loads(line)["timestamp"]}
