"""Whatever arrives at the web inlet, it answers with a sentence, logs no traceback, and still takes real deliveries."""

import asyncio
import base64
import hashlib
import hmac
import json
import re
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from random import Random

import pytest
from structlog.testing import capture_logs

from adapters.ledger import Ledger
from adapters.nexhealth import WEBHOOK_PATH
from devstack import free_port
from runtime.http_server import HttpLimits, serve
from tests.support.fuzz import ROUNDS, mutate, mutate_bytes
from web.webhooks.app import webhooks_app
from web.webhooks.router import EventRouter
from workflows.booking.contracts import AppointmentEvent

SECRET = "secret"
LIMITS = HttpLimits(headers_timeout=0.3, body_timeout=0.3)
AT_ONCE = 50
ANSWERS = {200, 400, 401, 404, 405, 408, 413, 431, 501, 503}
"""Never 500."""
ROW = {"id": 7, "note": "bk_" + "a" * 26, "updated_at": "2026-12-01T00:00:00Z", "cancelled": False, "referrer": None}
DELIVERIES = [
    {"event_name": "appointment_insertion.failed", "subdomain": "demo", "data": {"appointment": ROW}},
    {"event_name": "appointment_created", "subdomain": "demo", "data": {"appointments": [ROW, ROW]}},
    {
        "event_name": "sync_status_write_change",
        "subdomain": "demo",
        "data": {"sync_status": {"write_status": "green", "locations": [{"id": 101}]}},
    },
]


class Bookings:
    """Stands where Temporal's client would."""

    def __init__(self) -> None:
        self.online = 0

    async def signal_booking(self, workflow_id: str, event: AppointmentEvent) -> bool:
        return True

    async def signal_office_online(self, offices: Collection[str]) -> int:
        self.online += 1
        return 0


@asynccontextmanager
async def running_web(ledger: Ledger, bookings: Bookings) -> AsyncIterator[int]:
    router = EventRouter("demo", {}, ledger, bookings.signal_booking, bookings.signal_office_online)
    port = free_port(0)
    async with serve(webhooks_app(router, [SECRET]), f"127.0.0.1:{port}", "WEB_ADDRESS", LIMITS):
        yield port


def http_request(body: bytes) -> bytes:
    """A signed delivery, as NexHealth sends it."""
    timestamp = datetime.now(UTC).isoformat()
    signature = hmac.new(
        SECRET.encode(), timestamp.encode() + b"." + base64.b64encode(body), hashlib.sha256
    ).hexdigest()
    head = f"POST {WEBHOOK_PATH} HTTP/1.1\r\nHost: holdfast\r\nConnection: close\r\ntimestamp: {timestamp}\r\n"
    return f"{head}signature: {signature}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def hostile_request(rng: Random) -> bytes:
    body = json.dumps(mutate(rng.choice(DELIVERIES), rng)).encode()
    kind = rng.random()
    if kind < 0.5:
        return http_request(body if rng.random() < 0.7 else mutate_bytes(body, rng))
    if kind < 0.8:
        return mutate_bytes(http_request(body), rng)
    if kind < 0.9:
        return http_request(body)[: rng.randrange(400)]
    return rng.randbytes(rng.randrange(1, 5000))


async def exchange(port: int, raw: bytes, rng: Random) -> list[int]:
    """The statuses of all answers to these bytes. A tenth of the callers hangs up at once."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = b""
    with suppress(ConnectionError):
        writer.write(raw)
        await writer.drain()
        if rng.random() < 0.1:
            writer.transport.abort()
        else:
            answer = await asyncio.wait_for(reader.read(), timeout=10)
    writer.close()
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


@pytest.mark.timeout(900)
async def test_web_inlet_answers_anything_and_still_takes_real_deliveries(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    bookings = Bookings()
    statuses: set[int] = set()
    async with running_web(ledger, bookings) as port:
        with capture_logs() as logs:
            for first in range(0, ROUNDS, AT_ONCE):
                rngs = [Random(seed) for seed in range(first, first + AT_ONCE)]
                answers = await asyncio.gather(*(exchange(port, hostile_request(rng), rng) for rng in rngs))
                statuses.update(status for each in answers for status in each)
        bookings.online = 0
        real = json.dumps(DELIVERIES[-1] | {"event_time": "new"}).encode()
        assert await exchange(port, http_request(real), Random(1)) == [200]
        assert bookings.online == 1
    assert statuses <= ANSWERS, statuses
    assert {200, 400, 401, 408} <= statuses  # all of these happen, or the fuzz would show nothing
    assert [entry for entry in logs if entry["event"] == "http_request_failed"] == []
    assert "Traceback" not in caplog.text
