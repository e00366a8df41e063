"""The desk hears once about each row that cannot be read, however many workers meet it."""

import asyncio
import tomllib
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, cast

import pytest

from activities.connections import Connections
from activities.notifications import NotificationActivities
from activities.status_links import StatusLinks
from activities.unreadable_rows import UnreadableRowReporter
from adapters.errors import OutcomeUnknown, Unreadable
from adapters.ledger import Ledger
from adapters.messenger import Channel
from adapters.practice_system import Hold, PracticeSystem
from devstack import ROOT
from domain.interval import span
from domain.keyed_hash import KeyedHash
from domain.practice import parse_practice
from domain.reference import new_reference
from domain.slot import Slot
from tests.contract.test_messaging import sendgrid
from tests.support.practice_systems import DAY, NINE, ascend_at, unlimited_permit
from tests.support.sandbox import SandboxControl

OAKLAND = "7000000000101"
DESK = "desk.oakland@practice.example"
HASH = KeyedHash(b"k" * 32)


class Worker:
    """What one worker process has: its own practice system, and the ledger that all share."""

    def __init__(self, sandbox: SandboxControl, ledger: Ledger) -> None:
        content = tomllib.loads((ROOT / "practice.toml").read_text())
        content["connections"] = content["connections"][:1]
        name = content["connections"][0]["name"]
        content["locations"] = [place for place in content["locations"] if place["connection"] == name]
        self.system = ascend_at(sandbox)
        systems = {name: cast(PracticeSystem, self.system)}
        connections = Connections(practice=parse_practice(content), systems=systems, ledger=ledger)
        self.messenger = sendgrid(sandbox.url)
        notifications = NotificationActivities(
            connections, {Channel.EMAIL: self.messenger}, HASH, StatusLinks(ledger, b"k" * 32, ""), timedelta(0)
        )
        self.reporter = UnreadableRowReporter(connections, HASH, notifications.report_unreadable_rows)

    async def close(self) -> None:
        await self.system.close()
        await self.messenger.close()


@pytest.fixture
async def workers(sandbox: SandboxControl, ledger: Ledger) -> AsyncIterator[list[Worker]]:
    workers = [Worker(sandbox, ledger), Worker(sandbox, ledger)]
    yield workers
    for worker in workers:
        await worker.close()


def book_unreadable(sandbox: SandboxControl, operatory: str = "12000000000301") -> str:
    """The desk's row has no end. Returns its id."""
    row = sandbox.desk(
        do="book",
        operatory=operatory,
        provider="9000000000202",
        patient="9000000000301",
        start=NINE.isoformat(),
        without=["duration", "end"],
    )
    return str(row["id"])


def emails(sandbox: SandboxControl) -> list[dict[str, Any]]:
    return [email for email in sandbox.state()["emails"] if email["to"] == DESK]


async def test_unreadable_appointment_closes_its_time_and_the_desk_hears_once(
    sandbox: SandboxControl, workers: list[Worker]
) -> None:
    row_id = book_unreadable(sandbox)
    for _ in range(2):
        for worker in workers:
            calendar = await worker.system.read_calendar(OAKLAND, DAY)
            closed = {(b.operatory, b.provider) for b in calendar.blocks if b.time.start == NINE}
            assert closed == {("12000000000301", None), (None, "9000000000202")}
        await asyncio.gather(*(worker.reporter.report() for worker in workers))
    for worker in workers:
        await worker.reporter.report()
    (email,) = emails(sandbox)
    assert f"* appointment {row_id}: end" in email["text"]


async def test_rows_of_one_reading_come_in_one_email(sandbox: SandboxControl, workers: list[Worker]) -> None:
    ids = [book_unreadable(sandbox, operatory) for operatory in ("12000000000301", "12000000000302")]
    await workers[0].system.read_calendar(OAKLAND, DAY)
    await workers[0].reporter.report()
    (email,) = emails(sandbox)
    assert all(row_id in email["text"] for row_id in ids)


async def test_report_whose_answer_was_lost_is_repeated_until_it_is_sent(
    sandbox: SandboxControl, workers: list[Worker]
) -> None:
    book_unreadable(sandbox)
    sandbox.fault(system="sendgrid", method="POST", path="/v3/mail/send", kind="drop_before")
    await workers[0].system.read_calendar(OAKLAND, DAY)
    with pytest.raises(OutcomeUnknown):
        await workers[0].reporter.report()
    for _ in range(2):
        await workers[0].reporter.report()
    assert len(emails(sandbox)) == 1


async def test_lost_write_is_not_written_again_while_a_row_may_be_ours(
    sandbox: SandboxControl, workers: list[Worker]
) -> None:
    """Our own appointment becomes unreadable after its answer was lost."""
    system = workers[0].system
    reference = new_reference()
    slot = Slot(time=span(NINE, 60), provider="9000000000202", operatory="12000000000301")
    hold = Hold(reference=reference, location=OAKLAND, slot=slot, patient="9000000000301", title="Cleaning")
    placed = await system.write_hold(hold, unlimited_permit)
    sandbox.desk(do="move", id=placed.id, duration=-60)
    with pytest.raises(Unreadable):
        await system.find_by_reference(reference, OAKLAND, NINE)
    assert await system.find_by_reference(new_reference(), OAKLAND, NINE) == []
