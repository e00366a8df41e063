"""What our receiver answers to NexHealth, and whom it tells: over HTTP, with a real ledger."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from adapters.errors import Unavailable
from adapters.ledger import Claim, Ledger
from adapters.nexhealth.transport import Transport
from adapters.practice_system import Hold, PracticeSystem
from tests.support.practice_systems import NINE, at_any_time, bench
from tests.support.sandbox import SandboxControl
from web.news import NewsDesk
from web.webhooks import webhooks_app
from workflows.booking.messages import AppointmentEvent

AT = "2027-01-12T17:00:00.000Z"


@dataclass
class Door:
    """Our receiver, and what it passed on."""

    http: httpx.AsyncClient
    ledger: Ledger
    told: list[tuple[str, str]] = field(default_factory=list)
    """Booking and appointment."""
    woken: list[tuple[str, ...]] = field(default_factory=list)
    is_away: bool = False

    async def tell(self, booking: str, news: AppointmentEvent) -> bool:
        self.told.append((booking, news.appointment_id))
        return True

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


@asynccontextmanager
async def opened(ledger: Ledger, **systems: PracticeSystem) -> AsyncIterator[Door]:
    async with httpx.AsyncClient(base_url="http://holdfast.test") as unused:
        found = Door(unused, ledger)
    desk = NewsDesk("demo", systems, ledger, found.tell, found.wake)
    transport = httpx.ASGITransport(app=webhooks_app(desk, ["secret"]))
    async with httpx.AsyncClient(transport=transport, base_url="http://holdfast.test") as http:
        found.http = http
        yield found


@pytest.fixture
async def door(ledger: Ledger) -> AsyncIterator[Door]:
    async with opened(ledger) as found:
        yield found


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


async def writes(ledger: Ledger, booking: str, hold: Hold) -> None:
    """The booking is about to write this."""
    now = datetime.now(UTC)
    claim = Claim(
        reference=hold.reference,
        connection="portland",
        location="portland",
        service="cleaning",
        local_day=hold.slot.time.start.date(),
        slot=hold.slot,
        expires_at=now + timedelta(minutes=5),
    )
    await ledger.claims.take(claim, now)
    renewal = await ledger.claims.renew(hold.reference, now)
    await ledger.claims.begin_write(hold.reference, renewal, hold.slot, booking, now)


@pytest.mark.parametrize("spoilt", [{"start_time": None}, {"end_time": "soon"}, {"end_time": "2001-01-01T00:00:00Z"}])
async def test_an_appointment_that_cannot_be_read_is_not_asked_for_again_and_ours_is_looked_into(
    sandbox: SandboxControl, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, spoilt: dict[str, Any]
) -> None:
    """Before the ids of what was written are noted, only the marker on its row tells whose it is."""
    read = Transport.read

    async def spoil(self: Transport, path: str, params: Any = (), **scope: Any) -> Any:
        data = await read(self, path, params, **scope)
        return data | spoilt if path.startswith("/appointments/") else data

    monkeypatch.setattr(Transport, "read", spoil)
    with bench(sandbox, "nexhealth dentrix") as at:
        async with opened(ledger, portland=at.system) as door:
            hold = at.hold()
            await writes(door.ledger, "booking-ours", hold)
            ours, unknown = [
                (await at.system.place_hold(wanted, at_any_time)).id
                for wanted in (hold, at.hold(NINE + timedelta(hours=2)))
            ]
            with capture_logs() as logs:
                for appointment in (ours, unknown):
                    landed = named("appointment_insertion.complete", {"appointment": {"id": int(appointment)}})
                    assert await door.deliver(landed) == 200
            assert door.told == [("booking-ours", ours)]
        await at.system.close()
    warned = [entry["field"] for entry in logs if entry["log_level"] == "warning"]
    assert warned == [*spoilt, *spoilt]


async def test_a_note_that_is_no_text_does_not_keep_news_from_its_booking(
    sandbox: SandboxControl, ledger: Ledger
) -> None:
    with bench(sandbox, "nexhealth dentrix") as at:
        async with opened(ledger, portland=at.system) as door:
            hold = at.hold()
            await writes(door.ledger, "booking-ours", hold)
            await door.ledger.news.wrote(hold.reference, "7")
            row = {"id": 7, "note": {"text": "Called"}}
            assert await door.deliver(named("appointment_insertion.failed", {"appointment": row})) == 200
            assert door.told == [("booking-ours", "7")]
        await at.system.close()
