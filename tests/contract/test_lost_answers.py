"""The answer to a write is lost, and the desk is faster than our look for it. The patient still gets one visit."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.connections import Connections
from activities.hold_contracts import HoldResult, WriteHoldInput, WriteRecord
from activities.holds import HoldActivities
from activities.release import ReleaseActivities, ReleaseInput
from adapters.errors import OutcomeUnknown
from adapters.ledger import Claim, Ledger
from adapters.practice_system import Hold
from domain.keyed_hash import KeyedHash
from domain.reference import new_reference
from tests.support.clock import OffsetClock
from tests.support.practice_systems import NINE, PracticeUnderTest
from tests.support.practices import cleaning, location, practice_of

THREE_DAYS_LATER = NINE + timedelta(days=3)


class LostWrite:
    """A hold that the practice system has, although its answer was lost."""

    def __init__(self, practice: PracticeUnderTest, ledger: Ledger) -> None:
        self.practice = practice
        self._hold = practice.hold(reference=new_reference())
        content = location(
            "here",
            practice_system_id=practice.location,
            providers={"maple": practice.providers[0]},
            operatories={"op1": practice.operatories[0]},
            services=[cleaning()],
        )
        self._connections = Connections(
            practice=practice_of(content, system=practice.connection.rpartition(" ")[2], consistency_delay="1s"),
            systems={"main": practice.system},
            ledger=ledger,
            clock=OffsetClock(),
        )

    async def write(self) -> None:
        claim = Claim(
            reference=self._hold.reference,
            connection="main",
            location="here",
            service="cleaning",
            local_day=NINE.date(),
            slot=self._hold.slot,
            expires_at=datetime.now(UTC) + timedelta(hours=4),
        )
        await self._connections.ledger.claims.acquire(claim, datetime.now(UTC))
        system, path = self.practice.sandbox_system, self.practice.appointments_path
        self.practice.sandbox.fault(system=system, method="POST", path=path, kind="drop_after")
        with pytest.raises(OutcomeUnknown):
            await self._write_hold(attempt=1)
        self.practice.settle()

    async def look(self) -> HoldResult:
        """The next attempt, when the write could be sent again."""
        clock = self._connections.clock
        assert isinstance(clock, OffsetClock)
        clock.offset += timedelta(minutes=30)
        return await self._write_hold(attempt=2)

    async def _write_hold(self, attempt: int) -> HoldResult:
        hold = self._hold
        write = WriteHoldInput(
            reference=hold.reference,
            location="here",
            service="cleaning",
            slot=hold.slot,
            patient=hold.patient,
            writes=(WriteRecord(slot=hold.slot, patient=hold.patient),),
        )
        environment = ActivityEnvironment()
        environment.info = replace(environment.info, attempt=attempt)
        return await environment.run(HoldActivities(self._connections, KeyedHash(b"k" * 32)).write_hold, write)

    async def release_everything(self) -> None:
        hold = self._hold
        request = ReleaseInput(
            reference=hold.reference,
            location="here",
            start=NINE,
            slots=(hold.slot,),
            patients=(hold.patient,),
            may_break_desk_edits=True,
        )
        await ActivityEnvironment().run(ReleaseActivities(self._connections).release_everything, request)
        self.practice.settle()

    @property
    def hold(self) -> Hold:
        return self._hold

    def rows(self) -> list[dict[str, Any]]:
        """Every row of this booking in the practice's own calendar, broken ones too."""
        state = self.practice.sandbox.state()
        rows = state["nexhealth"]["office"]["appointments"] if self.practice.is_nexhealth else state["appointments"]
        return [row for row in rows if self._hold.reference in (row["note"] or "")]

    def standing_rows(self) -> list[dict[str, Any]]:
        return [row for row in self.rows() if not row.get("cancelled") and row.get("status") != "BROKEN"]


@pytest.fixture
async def lost(practice: PracticeUnderTest, ledger: Ledger) -> LostWrite:
    lost = LostWrite(practice, ledger)
    await lost.write()
    assert len(lost.rows()) == 1
    return lost


async def test_hold_that_the_desk_broke_before_we_looked_is_not_written_again(lost: LostWrite) -> None:
    lost.practice.desk(do="cancel", id=lost.rows()[0]["id"])
    result = await lost.look()
    lost.practice.settle()
    assert (result.appointment, result.conflicts) == (None, ())
    assert len(lost.rows()) == 1


async def test_hold_that_the_desk_moved_by_days_before_we_looked_is_found_there(lost: LostWrite) -> None:
    lost.practice.desk(do="move", id=lost.rows()[0]["id"], start=THREE_DAYS_LATER.isoformat())
    result = await lost.look()
    lost.practice.settle()
    assert result.appointment is not None
    assert result.appointment.time.start == THREE_DAYS_LATER
    assert len(lost.rows()) == 1


async def test_cancelled_booking_leaves_no_visit_that_the_desk_moved_by_days(lost: LostWrite) -> None:
    lost.practice.desk(do="move", id=lost.rows()[0]["id"], start=THREE_DAYS_LATER.isoformat())
    await lost.release_everything()
    assert lost.standing_rows() == []
