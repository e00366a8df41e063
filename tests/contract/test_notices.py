"""Which messages go out, with the real ledger and the sandbox as provider."""

import tomllib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import activities.notifications
from activities.connections import Connections
from activities.notifications import MOST_A_DAY, DeskNotice, NotificationActivities, PatientNotice
from adapters.errors import OutcomeUnknown, Unavailable
from adapters.ledger import Ledger
from adapters.messenger import Channel, Messenger
from demo.stack import ROOT
from domain.booking import Reason
from domain.keyed_hash import KeyedHash
from domain.practice import parse_practice
from domain.wording import MessageKind
from tests.contract.test_messaging import sendgrid, twilio
from tests.support.sandbox import SandboxControl


def clock(zone: str, hours: int) -> str:
    return f"{datetime.now(ZoneInfo(zone)) + timedelta(hours=hours):%H:%M}"


@pytest.fixture
async def messages(sandbox: SandboxControl, ledger: Ledger) -> AsyncIterator[NotificationActivities]:
    content = tomllib.loads((ROOT / "practice.toml").read_text())
    (brooklyn,) = (place for place in content["locations"] if place["id"] == "brooklyn")
    brooklyn["quiet_hours"] = f"{clock('America/New_York', -1)}-{clock('America/New_York', 1)}"
    parts = Connections(practice=parse_practice(content), systems={}, ledger=ledger)
    texts = twilio(sandbox.url)
    channels: dict[Channel, Messenger] = {Channel.EMAIL: sendgrid(sandbox.url), Channel.SMS: texts}
    yield NotificationActivities(parts, channels, KeyedHash(b"k" * 32), None, ambiguous_wait=timedelta(0))
    await texts.close()


def about(number: int) -> dict[str, object]:
    return {
        "reference": f"bk_{number:026}",
        "location": "oakland",
        "version": 1,
        "start": datetime.now(UTC) + timedelta(days=3),
    }


def to_desk(number: int, kind: MessageKind, reason: Reason) -> DeskNotice:
    return DeskNotice.model_validate(about(number) | {"booking": f"booking-{number}", "kind": kind, "reason": reason})


async def test_the_desk_hears_of_every_exception_however_many_there_are(
    messages: NotificationActivities, sandbox: SandboxControl
) -> None:
    for number in range(MOST_A_DAY + 2):
        notice = to_desk(number, MessageKind.DESK_EXCEPTION, Reason.SLOT_TAKEN)
        assert (await messages.route_exception(notice)).state == "accepted"
    assert len(sandbox.state()["emails"]) == MOST_A_DAY + 2


async def test_what_nobody_decided_in_time_is_told_to_whoever_sees_to_it(
    messages: NotificationActivities, sandbox: SandboxControl
) -> None:
    notice = to_desk(1, MessageKind.DESK_EXPIRED, Reason.EXPIRED)
    assert (await messages.route_exception(notice)).state == "accepted"
    (mail,) = sandbox.state()["emails"]
    assert (mail["to"], mail["subject"]) == ("manager@practice.example", "A booking ended without a decision")
    assert "Booking: booking-1\n" in mail["text"]


async def test_one_patients_address_gets_no_more_than_a_days_worth(
    messages: NotificationActivities, sandbox: SandboxControl
) -> None:
    patient = {"channel": Channel.EMAIL, "to": "nova@patients.example", "language": "en", "kind": MessageKind.CONFIRMED}
    states = [
        (await messages.notify(PatientNotice.model_validate(about(number) | patient))).state
        for number in range(MOST_A_DAY + 2)
    ]
    assert states == ["accepted"] * MOST_A_DAY + ["daily_limit"] * 2
    assert len(sandbox.state()["emails"]) == MOST_A_DAY


async def test_an_address_stays_one_however_it_is_written(
    messages: NotificationActivities, sandbox: SandboxControl
) -> None:
    written = [f"{local}@patients.example" for local in ("nova", "Nova", "nova+1", "NOVA+2")] * MOST_A_DAY
    patient = {"channel": Channel.EMAIL, "language": "en", "kind": MessageKind.CONFIRMED}
    states = [
        (await messages.notify(PatientNotice.model_validate(about(number) | patient | {"to": to}))).state
        for number, to in enumerate(written)
    ]
    assert states.count("accepted") == len(sandbox.state()["emails"]) == MOST_A_DAY


async def test_an_opt_out_outlives_the_key_it_was_kept_under(
    messages: NotificationActivities, sandbox: SandboxControl
) -> None:
    opted_out = {"channel": Channel.SMS, "to": "+15005550004", "language": "en", "kind": MessageKind.CONFIRMED}
    assert (await messages.notify(PatientNotice.model_validate(about(1) | opted_out))).state == "undeliverable"
    messages._hashed = KeyedHash(b"n" * 32, b"k" * 32)
    assert (await messages.notify(PatientNotice.model_validate(about(2) | opted_out))).state == "opted_out"
    assert len(sandbox.state()["calls"]["twilio"]) == 1


async def test_who_may_have_opted_in_again_is_texted_again(
    messages: NotificationActivities, sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the provider hears of it: it is asked anew, and what it refuses stands for another day."""
    opted_out = {"channel": Channel.SMS, "to": "+15005550004", "language": "en", "kind": MessageKind.CONFIRMED}
    for number, days, state in ((1, 0, "undeliverable"), (2, 0, "opted_out"), (3, 1, "undeliverable")):
        later = datetime.now(UTC) + timedelta(days=days)
        monkeypatch.setattr(activities.notifications, "utc_now", lambda now=later: now)
        assert (await messages.notify(PatientNotice.model_validate(about(number) | opted_out))).state == state
    assert (await messages.notify(PatientNotice.model_validate(about(4) | opted_out))).state == "opted_out"
    assert sandbox.calls("twilio") == 2


async def test_a_text_to_the_same_phone_about_another_booking_is_not_taken_for_the_lost_one(
    messages: NotificationActivities, sandbox: SandboxControl
) -> None:
    patient = {"channel": Channel.SMS, "to": "+15105550121", "language": "en", "kind": MessageKind.CONFIRMED}
    brother, sister = (PatientNotice.model_validate(about(number) | patient) for number in (1, 2))
    await messages.notify(brother)
    sandbox.fault(system="twilio", method="POST", path="/Messages.json", kind="drop_before")
    with pytest.raises(OutcomeUnknown):
        await messages.notify(sister)
    assert (await messages.notify(sister)).state == "accepted"
    assert len(sandbox.state()["texts"]) == 2


async def test_a_lost_text_that_went_out_is_found_and_not_sent_again(
    messages: NotificationActivities, sandbox: SandboxControl
) -> None:
    patient = {"channel": Channel.SMS, "to": "+15105550121", "language": "en", "kind": MessageKind.CONFIRMED}
    notice = PatientNotice.model_validate(about(1) | patient)
    sandbox.fault(system="twilio", method="POST", path="/Messages.json", kind="drop_after")
    with pytest.raises(OutcomeUnknown):
        await messages.notify(notice)
    assert (await messages.notify(notice)).state == "accepted"
    assert len(sandbox.state()["texts"]) == 1


@pytest.mark.parametrize(
    ("given", "state"),
    [
        ({}, "quiet_hours"),
        ({"location": "oakland"}, "accepted"),
        ({"channel": Channel.EMAIL, "to": "nova@patients.example"}, "accepted"),
        ({"asked_at": timedelta(0)}, "accepted"),
        ({"asked_at": timedelta(hours=-1)}, "quiet_hours"),
        ({"start": timedelta(minutes=50)}, "accepted"),
    ],
    ids=["waits", "no quiet hours here", "email", "what was just asked for", "asked long ago", "too late afterwards"],
)
async def test_in_quiet_hours_a_text_waits(
    messages: NotificationActivities, sandbox: SandboxControl, given: dict[str, Any], state: str
) -> None:
    """Times are given from now on: a test may run long after it was collected."""
    text = {"location": "brooklyn", "channel": Channel.SMS, "to": "+15105550121", "language": "en"}
    now = datetime.now(UTC)
    given = {name: now + value if isinstance(value, timedelta) else value for name, value in given.items()}
    told = await messages.notify(PatientNotice.model_validate(about(1) | text | {"kind": MessageKind.EXPIRED} | given))
    sent = len(sandbox.state()["texts"] + sandbox.state()["emails"])
    assert (told.state, sent) == (state, state == "accepted")
    assert (told.not_before is not None) == (state == "quiet_hours")


@pytest.mark.parametrize("channel", list(Channel))
async def test_a_worker_that_slept_since_it_asked_the_ledger_sends_nothing_and_asks_again(
    messages: NotificationActivities, sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch, channel: Channel
) -> None:
    """The booking may have given it up meanwhile, and sent a later word."""
    to = {Channel.EMAIL: "nova@patients.example", Channel.SMS: "+15105550121"}[channel]
    patient = {
        "channel": channel,
        "to": to,
        "language": "en",
        "kind": MessageKind.CONFIRMED,
        "asked_at": datetime.now(UTC),
    }
    notice = PatientNotice.model_validate(about(1) | patient)
    with monkeypatch.context() as asleep:
        asleep.setattr("activities.notifications.RESTS_FOR", timedelta(0))
        with pytest.raises(Unavailable):
            await messages.notify(notice)
    assert (sandbox.state()["emails"], sandbox.state()["texts"]) == ([], [])
    assert (await messages.notify(notice)).state == "accepted"
