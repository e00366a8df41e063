"""Which messages are sent, with the real ledger and the sandbox as provider."""

import asyncio
import re
import tomllib
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from activities.clock import Clock, SystemClock
from activities.connections import Connections
from activities.notifications import (
    MAX_PATIENT_MESSAGES_PER_DAY,
    SEND_WITHIN,
    DeskNotice,
    NotificationActivities,
    PatientNotice,
)
from activities.status_links import OUTLIVES_VISIT, StatusLinks
from adapters.errors import OutcomeUnknown, Unavailable
from adapters.ledger import Ledger, Link
from adapters.messenger import Channel, Messenger
from devstack import ROOT
from domain.booking import MessageState, Reason
from domain.keyed_hash import KeyedHash
from domain.practice import parse_practice
from domain.reference import new_reference
from domain.signed_link import LinkPurpose, read_link, token_hash
from domain.wording import MessageKind
from tests.contract.test_messaging import sendgrid, twilio
from tests.support.clock import OffsetClock
from tests.support.sandbox import SandboxControl


def wall_clock(zone: str, hours: int) -> str:
    """The time of day in this zone, this many hours from now."""
    return f"{datetime.now(ZoneInfo(zone)) + timedelta(hours=hours):%H:%M}"


class Notifications:
    """The activities, with a clock and secrets that a test can change."""

    def __init__(self, connections: Connections, messengers: Mapping[Channel, Messenger]) -> None:
        self._connections, self._messengers = connections, messengers
        self.clock: Clock = SystemClock()
        self.keyed_hash = KeyedHash(b"k" * 32)
        self.status_links = StatusLinks(connections.ledger, b"k" * 32, "https://book.practice.example")

    @property
    def _activities(self) -> NotificationActivities:
        connections = replace(self._connections, clock=self.clock)
        return NotificationActivities(
            connections, self._messengers, self.keyed_hash, self.status_links, reconcile_delay=timedelta(0)
        )

    async def notify(self, notice: PatientNotice) -> MessageState:
        return await self._activities.notify(notice)

    async def route_exception(self, notice: DeskNotice) -> MessageState:
        return await self._activities.route_exception(notice)


@pytest.fixture
async def notifications(sandbox: SandboxControl, ledger: Ledger) -> AsyncIterator[Notifications]:
    content = tomllib.loads((ROOT / "practice.toml").read_text())
    (brooklyn,) = (place for place in content["locations"] if place["id"] == "brooklyn")
    brooklyn["quiet_hours"] = f"{wall_clock('America/New_York', -1)}-{wall_clock('America/New_York', 1)}"
    connections = Connections(practice=parse_practice(content), systems={}, ledger=ledger)
    messengers: dict[Channel, Messenger] = {Channel.EMAIL: sendgrid(sandbox.url), Channel.SMS: twilio(sandbox.url)}
    yield Notifications(connections, messengers)
    for messenger in messengers.values():
        await messenger.close()


def notice_fields(number: int) -> dict[str, object]:
    return {
        "reference": f"bk_{number:026}",
        "location": "oakland",
        "version": 1,
        "start": datetime.now(UTC) + timedelta(days=3),
    }


def desk_notice(number: int, kind: MessageKind, reason: Reason) -> DeskNotice:
    return DeskNotice.model_validate(
        notice_fields(number) | {"booking": f"booking-{number}", "kind": kind, "reason": reason}
    )


async def test_desk_messages_have_no_daily_limit(notifications: Notifications, sandbox: SandboxControl) -> None:
    for number in range(MAX_PATIENT_MESSAGES_PER_DAY + 2):
        notice = desk_notice(number, MessageKind.DESK_EXCEPTION, Reason.SLOT_TAKEN)
        assert (await notifications.route_exception(notice)).state == "accepted"
    assert len(sandbox.state()["emails"]) == MAX_PATIENT_MESSAGES_PER_DAY + 2


async def test_expired_exception_goes_to_the_escalation_address(
    notifications: Notifications, sandbox: SandboxControl
) -> None:
    notice = desk_notice(1, MessageKind.DESK_EXPIRED, Reason.EXPIRED)
    assert (await notifications.route_exception(notice)).state == "accepted"
    (mail,) = sandbox.state()["emails"]
    assert (mail["to"], mail["subject"]) == ("manager@practice.example", "A booking ended without a decision")
    assert "Booking: booking-1\n" in mail["text"]


async def test_patient_address_receives_no_more_than_the_daily_limit(
    notifications: Notifications, sandbox: SandboxControl
) -> None:
    patient = {"channel": Channel.EMAIL, "to": "nova@patients.example", "language": "en", "kind": MessageKind.CONFIRMED}
    states = [
        (await notifications.notify(PatientNotice.model_validate(notice_fields(number) | patient))).state
        for number in range(MAX_PATIENT_MESSAGES_PER_DAY + 2)
    ]
    assert states == ["accepted"] * MAX_PATIENT_MESSAGES_PER_DAY + ["daily_limit"] * 2
    assert len(sandbox.state()["emails"]) == MAX_PATIENT_MESSAGES_PER_DAY


async def test_spellings_of_one_address_share_one_daily_limit(
    notifications: Notifications, sandbox: SandboxControl
) -> None:
    written = [
        f"{local}@patients.example" for local in ("nova", "Nova", "nova+1", "NOVA+2")
    ] * MAX_PATIENT_MESSAGES_PER_DAY
    patient = {"channel": Channel.EMAIL, "language": "en", "kind": MessageKind.CONFIRMED}
    states = [
        (await notifications.notify(PatientNotice.model_validate(notice_fields(number) | patient | {"to": to}))).state
        for number, to in enumerate(written)
    ]
    assert states.count("accepted") == len(sandbox.state()["emails"]) == MAX_PATIENT_MESSAGES_PER_DAY


async def test_opt_out_survives_a_change_of_the_hashing_secret(
    notifications: Notifications, sandbox: SandboxControl
) -> None:
    opted_out = {"channel": Channel.SMS, "to": "+15005550004", "language": "en", "kind": MessageKind.CONFIRMED}
    assert (
        await notifications.notify(PatientNotice.model_validate(notice_fields(1) | opted_out))
    ).state == "undeliverable"
    notifications.keyed_hash = KeyedHash(b"n" * 32, b"k" * 32)
    assert (await notifications.notify(PatientNotice.model_validate(notice_fields(2) | opted_out))).state == "opted_out"
    assert len(sandbox.state()["calls"]["twilio"]) == 1


async def test_opted_out_phone_is_tried_again_after_a_day(
    notifications: Notifications, sandbox: SandboxControl
) -> None:
    """Only the provider learns of the opt-in. We try once a day, and a refusal counts for another day."""
    opted_out = {"channel": Channel.SMS, "to": "+15005550004", "language": "en", "kind": MessageKind.CONFIRMED}
    for number, days, state in ((1, 0, "undeliverable"), (2, 0, "opted_out"), (3, 1, "undeliverable")):
        notifications.clock = OffsetClock(timedelta(days=days))
        assert (
            await notifications.notify(PatientNotice.model_validate(notice_fields(number) | opted_out))
        ).state == state
    assert (await notifications.notify(PatientNotice.model_validate(notice_fields(4) | opted_out))).state == "opted_out"
    assert sandbox.calls("twilio") == 2


async def test_text_about_another_booking_is_not_mistaken_for_the_lost_one(
    notifications: Notifications, sandbox: SandboxControl
) -> None:
    patient = {"channel": Channel.SMS, "to": "+15105550121", "language": "en", "kind": MessageKind.CONFIRMED}
    first, second = (PatientNotice.model_validate(notice_fields(number) | patient) for number in (1, 2))
    await notifications.notify(first)
    sandbox.fault(system="twilio", method="POST", path="/Messages.json", kind="drop_before")
    with pytest.raises(OutcomeUnknown):
        await notifications.notify(second)
    assert (await notifications.notify(second)).state == "accepted"
    assert len(sandbox.state()["texts"]) == 2


async def test_text_whose_answer_was_lost_is_found_and_not_sent_again(
    notifications: Notifications, sandbox: SandboxControl
) -> None:
    patient = {"channel": Channel.SMS, "to": "+15105550121", "language": "en", "kind": MessageKind.CONFIRMED}
    notice = PatientNotice.model_validate(notice_fields(1) | patient)
    sandbox.fault(system="twilio", method="POST", path="/Messages.json", kind="drop_after")
    with pytest.raises(OutcomeUnknown):
        await notifications.notify(notice)
    assert (await notifications.notify(notice)).state == "accepted"
    assert len(sandbox.state()["texts"]) == 1


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "quiet_hours"),
        ({"location": "oakland"}, "accepted"),
        ({"channel": Channel.EMAIL, "to": "nova@patients.example"}, "accepted"),
        ({"asked_at": timedelta(0)}, "accepted"),
        ({"asked_at": timedelta(hours=-1)}, "quiet_hours"),
        ({"start": timedelta(minutes=50)}, "accepted"),
    ],
    ids=["text waits", "no quiet hours", "email", "patient just acted", "patient acted long ago", "visit starts first"],
)
async def test_text_waits_for_the_end_of_quiet_hours(
    notifications: Notifications, sandbox: SandboxControl, changes: dict[str, Any], state: str
) -> None:
    """Times are relative to now, because a test may run long after it was collected."""
    text = {"location": "brooklyn", "channel": Channel.SMS, "to": "+15105550121", "language": "en"}
    now = datetime.now(UTC)
    changes = {name: now + value if isinstance(value, timedelta) else value for name, value in changes.items()}
    result = await notifications.notify(
        PatientNotice.model_validate(notice_fields(1) | text | {"kind": MessageKind.EXPIRED} | changes)
    )
    sent = len(sandbox.state()["texts"] + sandbox.state()["emails"])
    assert (result.state, sent) == (state, state == "accepted")
    assert (result.not_before is not None) == (state == "quiet_hours")


@pytest.mark.parametrize("channel", list(Channel))
async def test_worker_that_slept_after_asking_the_ledger_sends_nothing_and_asks_again(
    notifications: Notifications, sandbox: SandboxControl, channel: Channel
) -> None:
    """The booking may have stopped waiting meanwhile, and sent a newer message."""
    to = {Channel.EMAIL: "nova@patients.example", Channel.SMS: "+15105550121"}[channel]
    patient = {
        "channel": channel,
        "to": to,
        "language": "en",
        "kind": MessageKind.CONFIRMED,
        "asked_at": datetime.now(UTC),
    }
    notice = PatientNotice.model_validate(notice_fields(1) | patient)
    notifications.clock = OffsetClock(-SEND_WITHIN)
    with pytest.raises(Unavailable):
        await notifications.notify(notice)
    assert (sandbox.state()["emails"], sandbox.state()["texts"]) == ([], [])
    notifications.clock = SystemClock()
    assert (await notifications.notify(notice)).state == "accepted"


LINK = re.compile(r"https://book\.practice\.example/manage/([a-z2-7]+)")


def linked_notice(channel: Channel, to: str, **changes: Any) -> PatientNotice:
    patient = {"reference": new_reference(), "booking": "booking-1", "kind": MessageKind.CONFIRMED, "language": "es"}
    return PatientNotice.model_validate(notice_fields(1) | patient | {"channel": channel, "to": to} | changes)


@pytest.mark.parametrize(("channel", "to"), [(Channel.EMAIL, "nova@patients.example"), (Channel.SMS, "+15105550121")])
async def test_message_carries_a_signed_link_that_the_ledger_knows_by_its_hash(
    notifications: Notifications, sandbox: SandboxControl, ledger: Ledger, channel: Channel, to: str
) -> None:
    notice = linked_notice(channel, to)
    assert (await notifications.notify(notice)).state == "accepted"
    state = sandbox.state()
    (text,) = [mail["text"] for mail in state["emails"]] + [text["body"] for text in state["texts"]]
    (token,) = LINK.findall(text)
    signed = read_link(LinkPurpose.STATUS, token, [b"k" * 32], datetime.now(UTC))
    assert signed is not None
    assert signed.reference == notice.reference
    assert timedelta(0) <= signed.expires_at - notice.start - OUTLIVES_VISIT < timedelta(hours=1)
    assert await ledger.links.find(token_hash(token)) == Link(booking="booking-1", language="es")
    assert await ledger.links.find(token) is None


async def test_revoked_link_shows_nothing_and_later_messages_have_none(
    notifications: Notifications, sandbox: SandboxControl, ledger: Ledger
) -> None:
    notice = linked_notice(Channel.EMAIL, "nova@patients.example")
    await notifications.notify(notice)
    (token,) = LINK.findall(sandbox.state()["emails"][0]["text"])
    assert await ledger.links.revoke("booking-1") == 1
    assert await ledger.links.find(token_hash(token)) is None
    await notifications.notify(notice.model_copy(update={"kind": MessageKind.VISIT_CANCELLED}))
    assert not LINK.findall(sandbox.state()["emails"][1]["text"])


async def test_both_channels_of_a_message_may_record_the_same_link_at_once(ledger: Ledger) -> None:
    now = datetime.now(UTC)
    links = StatusLinks(ledger, b"k" * 32, "https://book.practice.example")
    reference = new_reference()
    created = await asyncio.gather(*(links.create("booking-1", reference, "en", now, now) for _ in range(8)))
    assert len(set(created)) == 1
    assert await ledger.links.revoke("booking-1") == 1


async def test_link_that_ended_is_forgotten_when_the_next_one_is_recorded(ledger: Ledger) -> None:
    now = datetime.now(UTC)
    link = Link(booking="booking-1", language="en")
    await ledger.links.record("a" * 64, link, now - timedelta(hours=1), now - timedelta(hours=2))
    assert await ledger.links.find("a" * 64) == link
    await ledger.links.record("b" * 64, link, now + timedelta(hours=1), now)
    assert await ledger.links.find("a" * 64) is None
