"""What our webhook answers to NexHealth, and which bookings get the event: over HTTP, with a real ledger."""

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
from adapters.ledger.events import FORWARDED_EVENT_RETENTION
from adapters.nexhealth import WEBHOOK_PATH
from adapters.nexhealth.transport import Transport
from adapters.nexhealth.webhooks import MAX_CLOCK_DIFFERENCE, MAX_DELIVERY_AGE, MAX_ROWS
from adapters.practice_system import Hold, PracticeSystem
from domain.interval import span
from domain.reference import new_reference
from domain.slot import Slot
from tests.support.practice_systems import NINE, practice_under_test, unlimited_permit
from tests.support.sandbox import SandboxControl
from web.webhooks.app import MAX_BODY_BYTES, webhooks_app
from web.webhooks.router import EventRouter
from workflows.booking.contracts import AppointmentEvent

NOW = datetime(2027, 1, 12, 17, tzinfo=UTC)


ROW_WITH_ID = b'{"event_name": "appointment_updated", "subdomain": "demo", "data": {"appointment": {"id": %s}}}'


@dataclass
class WebhookUnderTest:
    """Our webhook, and what it passed on."""

    http: httpx.AsyncClient
    ledger: Ledger
    signaled: list[tuple[str, str]] = field(default_factory=list)
    """(booking, appointment)"""
    online_offices: list[tuple[str, ...]] = field(default_factory=list)
    """Locations of each "office online" that was passed on."""
    is_temporal_down: bool = False

    async def signal_booking(self, booking: str, event: AppointmentEvent) -> bool:
        self.signaled.append((booking, event.appointment_id))
        return True

    async def signal_office_online(self, locations: Collection[str]) -> int:
        if self.is_temporal_down:
            raise Unavailable("Temporal: UNAVAILABLE")
        self.online_offices.append(tuple(locations))
        return len(self.online_offices)

    async def deliver(self, raw: bytes, secret: str = "secret", timestamp: str = "2027-01-12T17:00:00.000Z") -> int:
        """Deliver the body as NexHealth does, and return the status of the answer."""
        text = timestamp.encode() + b"." + base64.b64encode(raw)
        signature = hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
        headers = {"timestamp": timestamp, "signature": signature}
        return (await self.http.post(WEBHOOK_PATH, content=raw, headers=headers)).status_code


def delivery(event_name: str, data: Any, subdomain: str = "demo") -> bytes:
    return json.dumps({"event_name": event_name, "subdomain": subdomain, "data": data}).encode()


@asynccontextmanager
async def open_webhook(ledger: Ledger, **systems: PracticeSystem) -> AsyncIterator[WebhookUnderTest]:
    async with httpx.AsyncClient(base_url="http://holdfast.test") as unused:
        webhook = WebhookUnderTest(unused, ledger)
    router = EventRouter("demo", systems, ledger, webhook.signal_booking, webhook.signal_office_online)
    transport = httpx.ASGITransport(app=webhooks_app(router, ["secret"], lambda: NOW))
    async with httpx.AsyncClient(transport=transport, base_url="http://holdfast.test") as http:
        webhook.http = http
        yield webhook


@pytest.fixture
async def webhook(ledger: Ledger) -> AsyncIterator[WebhookUnderTest]:
    async with open_webhook(ledger) as webhook:
        yield webhook


@pytest.mark.parametrize(
    "raw",
    [
        b"not json",
        b"[]",
        delivery("patient_created", None),
        delivery("sync_status_read_change", [1]),
        delivery("appointment_updated", None),
        delivery("appointment_updated", {"appointment": {"id": "x"}}),
        delivery("appointment_insertion.complete", {}),
        b"[" * 50_000,
        b'{"event_name": "appointment_updated", "subdomain": "demo", "data": ' + b'{"a":' * 50_000,
        *(ROW_WITH_ID % identifier for identifier in (b"1e999", b"1.5", b"true", b"1" * 4000, b'"9" * 40', b"-1")),
        delivery("appointment_created", {"appointments": [{"id": 1}] * (MAX_ROWS + 1)}),
        delivery("sync_status_write_change", [{"locations": 5}]),
        '{"event_name": "appointment_updated"}'.encode("utf-16"),
        b'{"event_name": "\\ud800"}',
        b"\x00\xff",
        b"",
    ],
)
async def test_unreadable_delivery_is_answered_with_success(webhook: WebhookUnderTest, raw: bytes) -> None:
    """After two days of other answers, NexHealth would switch the endpoint off, and no events would come."""
    assert await webhook.deliver(raw) == 200


async def test_delivery_with_a_wrong_signature_is_rejected(webhook: WebhookUnderTest) -> None:
    assert await webhook.deliver(delivery("sync_status_write_change", None), "another") == 401
    assert webhook.online_offices == []


@pytest.mark.parametrize(
    "timestamp",
    [
        (NOW - MAX_DELIVERY_AGE - timedelta(seconds=1)).isoformat(),
        (NOW + MAX_CLOCK_DIFFERENCE + timedelta(seconds=1)).isoformat(),
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "yesterday",
        "",
    ],
)
async def test_delivery_signed_too_long_ago_or_in_the_future_is_rejected(
    webhook: WebhookUnderTest, timestamp: str
) -> None:
    assert await webhook.deliver(delivery("sync_status_write_change", None), timestamp=timestamp) == 401
    assert webhook.online_offices == []


async def test_delivery_is_accepted_as_long_as_nexhealth_repeats_it(webhook: WebhookUnderTest) -> None:
    """For 48 hours, perhaps with its first timestamp."""
    for number, age in enumerate((timedelta(hours=48), timedelta(0), -MAX_CLOCK_DIFFERENCE)):
        raw = delivery("sync_status_write_change", [{"locations": [{"id": number}]}])
        assert await webhook.deliver(raw, timestamp=(NOW - age).isoformat()) == 200
    assert len(webhook.online_offices) == 3


def test_ledger_remembers_an_event_for_longer_than_a_copy_of_it_is_accepted() -> None:
    assert FORWARDED_EVENT_RETENTION > MAX_DELIVERY_AGE + MAX_CLOCK_DIFFERENCE


async def test_body_that_is_too_large_is_rejected_before_its_signature_is_read(webhook: WebhookUnderTest) -> None:
    event = delivery("sync_status_write_change", None)
    assert await webhook.deliver(event + b" " * (MAX_BODY_BYTES - len(event) + 1)) == 413
    assert webhook.online_offices == []
    assert await webhook.deliver(event + b" " * (MAX_BODY_BYTES - len(event))) == 200
    assert webhook.online_offices == [()]


async def test_events_of_another_account_reach_no_booking(webhook: WebhookUnderTest) -> None:
    """An endpoint's secret signs the events of every account that it is subscribed to."""
    await begin_write(webhook.ledger, "booking-ours", hold := some_hold())
    row = {"id": 7, "note": hold.reference}
    for subdomain, signaled in (("another", []), ("demo", [("booking-ours", "7")])):
        raw = delivery("appointment_insertion.failed", {"appointment": row}, subdomain)
        assert await webhook.deliver(raw) == 200
        assert webhook.signaled == signaled
    assert await webhook.deliver(delivery("sync_status_write_change", None, "another")) == 200
    assert webhook.online_offices == []


async def test_office_online_event_is_passed_on_once(webhook: WebhookUnderTest) -> None:
    raw = delivery("sync_status_write_change", {"sync_status": {"write_status": "green", "locations": [{"id": 101}]}})
    assert [await webhook.deliver(raw), await webhook.deliver(raw)] == [200, 200]
    assert webhook.online_offices == [("101",)]


async def test_office_online_event_is_passed_on_again_after_a_failure(webhook: WebhookUnderTest) -> None:
    webhook.is_temporal_down = True
    raw = delivery("sync_status_write_change", None)
    assert await webhook.deliver(raw) == 503
    webhook.is_temporal_down = False
    assert await webhook.deliver(raw) == 200
    assert webhook.online_offices == [()]


def some_hold() -> Hold:
    slot = Slot(time=span(NINE, 60), provider="1", operatory="2")
    return Hold(reference=new_reference(), location="101", patient="3", slot=slot, title="Cleaning")


async def begin_write(ledger: Ledger, booking: str, hold: Hold) -> None:
    """Record in the ledger that the booking is about to write this hold."""
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
    await ledger.claims.acquire(claim, now)
    renewal = await ledger.claims.renew(hold.reference, now)
    await ledger.claims.begin_write(hold.reference, renewal, hold.slot, booking, now)


@pytest.mark.parametrize(
    "unreadable", [{"start_time": None}, {"end_time": "soon"}, {"end_time": "2001-01-01T00:00:00Z"}]
)
async def test_event_about_an_unreadable_appointment_still_reaches_its_booking(
    sandbox: SandboxControl, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, unreadable: dict[str, Any]
) -> None:
    """Before the ledger knows the id of the appointment, only our reference in its row names the booking."""
    read = Transport.read

    async def read_unreadable(self: Transport, path: str, params: Any = (), **scope: Any) -> Any:
        data = await read(self, path, params, **scope)
        return data | unreadable if path.startswith("/appointments/") else data

    monkeypatch.setattr(Transport, "read", read_unreadable)
    with practice_under_test(sandbox, "nexhealth dentrix") as practice:
        async with open_webhook(ledger, portland=practice.system) as webhook:
            hold = practice.hold()
            await begin_write(webhook.ledger, "booking-ours", hold)
            our_id, unknown_id = [
                (await practice.system.write_hold(each, unlimited_permit)).id
                for each in (hold, practice.hold(NINE + timedelta(hours=2)))
            ]
            with capture_logs() as logs:
                for appointment_id in (our_id, unknown_id):
                    raw = delivery("appointment_insertion.complete", {"appointment": {"id": int(appointment_id)}})
                    assert await webhook.deliver(raw) == 200
            assert webhook.signaled == [("booking-ours", our_id)]
        await practice.system.close()
    unreadable_fields = [entry["field"] for entry in logs if entry["log_level"] == "warning"]
    assert unreadable_fields == [*unreadable, *unreadable]


async def test_note_that_is_not_text_does_not_keep_an_event_from_its_booking(
    sandbox: SandboxControl, ledger: Ledger
) -> None:
    with practice_under_test(sandbox, "nexhealth dentrix") as practice:
        async with open_webhook(ledger, portland=practice.system) as webhook:
            hold = practice.hold()
            await begin_write(webhook.ledger, "booking-ours", hold)
            await webhook.ledger.events.record_write(hold.reference, "7")
            row = {"id": 7, "note": {"text": "Called"}}
            assert await webhook.deliver(delivery("appointment_insertion.failed", {"appointment": row})) == 200
            assert webhook.signaled == [("booking-ours", "7")]
        await practice.system.close()


@pytest.mark.parametrize(("referrer", "calls"), [("https://other.example", 0), ("", 1), (None, 1), ({"a": 1}, 1)])
async def test_booking_of_another_program_costs_no_call(
    sandbox: SandboxControl, ledger: Ledger, referrer: Any, calls: int
) -> None:
    """Only an event that shows both places of our mark, and has it in neither, is known to be none of ours."""
    with practice_under_test(sandbox, "nexhealth dentrix") as practice:
        placed = await practice.system.write_hold(practice.hold(), unlimited_permit)
        before = sandbox.calls("nexhealth")
        async with open_webhook(ledger, portland=practice.system) as webhook:
            row = {"id": int(placed.id), "note": "Booked elsewhere", "referrer": referrer}
            assert await webhook.deliver(delivery("appointment_insertion.complete", {"appointment": row})) == 200
            assert webhook.signaled == []
        assert sandbox.calls("nexhealth") - before == calls
        await practice.system.close()
