"""What our receiver answers to NexHealth, and whom it tells: over HTTP, with a real ledger."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.errors import Unavailable
from adapters.ledger import Ledger
from web.news import NewsDesk
from web.webhooks import webhooks_app
from workflows.contracts import CalendarNews

AT = "2027-01-12T17:00:00.000Z"


@dataclass
class Door:
    """Our receiver, and what it passed on."""

    http: httpx.AsyncClient
    woken: list[tuple[str, ...]] = field(default_factory=list)
    is_away: bool = False

    async def tell(self, booking: str, news: CalendarNews) -> bool:
        raise AssertionError("no booking is known here")

    async def wake(self, offices: Collection[str]) -> int:
        if self.is_away:
            raise Unavailable("Temporal: UNAVAILABLE")
        self.woken.append(tuple(offices))
        return len(self.woken)

    async def deliver(self, raw: bytes, secret: str = "secret") -> int:
        text = AT.encode() + b"." + base64.b64encode(raw)
        signature = hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
        headers = {"timestamp": AT, "signature": signature}
        return (await self.http.post("/webhooks/nexhealth", content=raw, headers=headers)).status_code


def named(name: str, data: Any) -> bytes:
    return json.dumps({"event_name": name, "subdomain": "demo", "data": data}).encode()


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    await ledger.migrate()
    async with httpx.AsyncClient(base_url="http://holdfast.test") as unused:
        found = Door(unused)
    desk = NewsDesk("demo", {}, ledger, found.tell, found.wake)
    transport = httpx.ASGITransport(app=webhooks_app(desk, ["secret"]))
    async with httpx.AsyncClient(transport=transport, base_url="http://holdfast.test") as http:
        found.http = http
        yield found
    await ledger.close()


@pytest.mark.parametrize(
    "raw",
    [
        b"not json",
        b"[]",
        named("patient_created", None),
        named("sync_status_read_change", [1]),
        named("appointment_updated", None),
        named("appointment_updated", {"appointment": {"id": "x"}}),
        named("appointment_insertion.complete", {}),
    ],
)
async def test_a_delivery_that_we_cannot_read_does_not_switch_the_others_off(door: Door, raw: bytes) -> None:
    """Who answers otherwise for two days is told nothing any more."""
    assert await door.deliver(raw) == 200


async def test_only_what_is_signed_is_taken(door: Door) -> None:
    assert await door.deliver(named("sync_status_write_change", None), "another") == 401
    assert door.woken == []


async def test_an_office_that_is_back_is_told_once(door: Door) -> None:
    raw = named("sync_status_write_change", {"sync_status": {"write_status": "green", "locations": [{"id": 101}]}})
    assert [await door.deliver(raw), await door.deliver(raw)] == [200, 200]
    assert door.woken == [("101",)]


async def test_an_office_that_is_back_is_told_again_where_the_bookings_could_not_hear(door: Door) -> None:
    door.is_away = True
    raw = named("sync_status_write_change", None)
    assert await door.deliver(raw) == 503
    door.is_away = False
    assert await door.deliver(raw) == 200
    assert door.woken == [()]
