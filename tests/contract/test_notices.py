"""Which messages go out, with the real ledger and the sandbox as provider."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from activities.connections import Connections
from activities.messages import MOST_A_DAY, DeskNotice, MessageActivities, Notice
from adapters.ledger import Ledger
from adapters.messaging.sendgrid import SendGridConfig, SendGridMessenger
from adapters.messenger import Channel
from adapters.practice_file import read_practice
from demo.stack import ROOT
from domain.booking import Reason
from domain.keyed_hash import KeyedHash
from domain.messages import Kind
from tests.support.sandbox import SandboxControl

START = datetime.now(UTC) + timedelta(days=3)


@pytest.fixture
async def messages(sandbox: SandboxControl, tmp_path: Path) -> MessageActivities:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    await ledger.migrate()
    parts = Connections(practice=read_practice(ROOT / "practice.toml"), systems={}, ledger=ledger)
    email = SendGridMessenger(
        SendGridConfig(base_url=sandbox.url, api_key="SG.sandbox", sender="bookings@practice.example")
    )
    return MessageActivities(parts, {Channel.EMAIL: email}, KeyedHash(b"k" * 32), None)


def about(number: int) -> dict[str, object]:
    return {"reference": f"bk_{number:026}", "location": "oakland", "version": 1, "start": START}


async def test_the_desk_hears_of_every_exception_however_many_there_are(
    messages: MessageActivities, sandbox: SandboxControl
) -> None:
    for number in range(MOST_A_DAY + 2):
        notice = DeskNotice.model_validate(about(number) | {"kind": Kind.DESK_EXCEPTION, "reason": Reason.SLOT_TAKEN})
        assert (await messages.tell_desk(notice)).state == "accepted"
    assert len(sandbox.state()["emails"]) == MOST_A_DAY + 2


async def test_one_patients_address_gets_no_more_than_a_days_worth(
    messages: MessageActivities, sandbox: SandboxControl
) -> None:
    patient = {"channel": Channel.EMAIL, "to": "nova@patients.example", "language": "en", "kind": Kind.CONFIRMED}
    states = [
        (await messages.notify(Notice.model_validate(about(number) | patient))).state
        for number in range(MOST_A_DAY + 2)
    ]
    assert states == ["accepted"] * MOST_A_DAY + ["daily_limit"] * 2
    assert len(sandbox.state()["emails"]) == MOST_A_DAY
