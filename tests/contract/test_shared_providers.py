"""A provider works at two locations of one connection, and is busy at both when she is busy at one."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities.connections import Connections
from activities.hold_contracts import HoldResult, WriteHoldInput
from activities.holds import HoldActivities
from adapters.ledger import Claim, Ledger
from domain.interval import span
from domain.keyed_hash import KeyedHash
from domain.practice import Practice
from domain.reference import new_reference
from domain.schedule import Facts, conflicts, openings
from domain.slot import Cause, Slot
from tests.support.polling import wait_until
from tests.support.practice_systems import DAY, NINE, TUESDAY, PracticeUnderTest, practice_under_test
from tests.support.practices import location, practice_of
from tests.support.sandbox import SandboxControl

HOUR = timedelta(hours=1)
LOCATIONS = {
    "ascend": (("7000000000101", "12000000000301"), ("7000000000102", "12000000000311"), "9000000000202"),
    "nexhealth dentrix": (("101", "301"), ("102", "311"), "201"),
}
"""By connection: two locations with one operatory each, and a provider who works at both."""


def practice_on(connection: str) -> Practice:
    *ids, provider = LOCATIONS[connection]
    shared = {"providers": {"maple": provider}, "hours": {"tuesday": ["08:00-17:00"]}, "horizon": "900d"}
    locations = [
        location(name, practice_system_id=location_id, operatories={"op1": operatory}, **shared)
        for name, (location_id, operatory) in zip(("here", "there"), ids, strict=True)
    ]
    return practice_of(*locations, system=connection.rpartition(" ")[2])


async def open_starts(connections: Connections, name: str) -> set[datetime]:
    site, rule = connections.site(name), connections.practice.rule(name, "cleaning")
    facts = Facts(rule=rule, calendar=await site.read_day(NINE, rule), now=NINE - 72 * HOUR)
    return {slot.time.start for slot in openings(facts, TUESDAY, 1)}


async def claim_and_write(connections: Connections, slot: Slot, patient: str) -> HoldResult:
    reference, now = new_reference(), datetime.now(UTC)
    claim = Claim(
        reference=reference,
        connection="main",
        location="here",
        service="cleaning",
        local_day=TUESDAY,
        slot=slot,
        expires_at=now + HOUR,
    )
    await connections.ledger.claims.acquire(claim, now)
    request = WriteHoldInput(reference=reference, location="here", service="cleaning", slot=slot, patient=patient)
    return await ActivityEnvironment().run(HoldActivities(connections, KeyedHash(b"k" * 32)).write_hold, request)


def book_backwards(tested: PracticeUnderTest, operatory: str, provider: str) -> None:
    """The desk's row begins at three in the afternoon and ends an hour before."""
    visit = {"operatory": operatory, "provider": provider, "patient": tested.patient, "duration": -60}
    tested.desk(do="book", start=(NINE + 6 * HOUR).isoformat(), **visit)


async def conflict_causes(tested: PracticeUnderTest, folder: Path) -> list[Cause]:
    """Why the provider cannot have a visit here at nine."""
    (_, operatory), _, provider = LOCATIONS[tested.connection]
    practice, ledger = practice_on(tested.connection), Ledger(f"sqlite:///{folder}/ledger.db")
    site = Connections(practice=practice, systems={"main": tested.system}, ledger=ledger).site("here")
    rule = practice.rule("here", "cleaning")
    facts = Facts(rule=rule, calendar=await site.read_day(NINE, rule), now=NINE - 72 * HOUR)
    slot = Slot(time={"start": NINE, "end": NINE + HOUR}, provider=provider, operatory=operatory)
    return [conflict.cause for conflict in conflicts(slot, facts)]


@pytest.mark.parametrize("reason", ["absence", "visit"])
@pytest.mark.parametrize("connection", LOCATIONS)
async def test_provider_who_is_busy_at_another_location_is_busy_here(
    sandbox: SandboxControl, tmp_path: Path, connection: str, reason: str
) -> None:
    _, (there, operatory_there), provider = LOCATIONS[connection]
    with practice_under_test(sandbox, connection) as tested:
        if reason == "absence":
            end = (NINE + HOUR).isoformat()
            tested.desk(do="block", location=there, provider=provider, start=NINE.isoformat(), end=end)
        else:
            visit = {"operatory": operatory_there, "provider": provider, "patient": tested.patient, "duration": 60}
            tested.desk(do="book", start=NINE.isoformat(), **visit)
        causes = await conflict_causes(tested, tmp_path)
        assert causes == [Cause.BLOCK if reason == "absence" else Cause.PROVIDER_ELSEWHERE]
        await tested.system.close()


async def test_closure_of_another_location_or_its_operatory_does_not_close_this_one(
    sandbox: SandboxControl, tmp_path: Path
) -> None:
    _, (there, operatory_there), _ = LOCATIONS["ascend"]
    with practice_under_test(sandbox, "ascend") as tested:
        closure = {"location": there, "start": NINE.isoformat(), "end": (NINE + HOUR).isoformat()}
        tested.desk(do="block", **closure)
        tested.desk(do="block", operatory=operatory_there, **closure)
        assert await conflict_causes(tested, tmp_path) == []
        await tested.system.close()


async def calls_to_read_the_day(tested: PracticeUnderTest, folder: Path, **changes: tuple[str, ...]) -> int:
    """The calls of a re-check and a read-back, when everything that rarely changes is known."""
    practice, ledger = practice_on(tested.connection), Ledger(f"sqlite:///{folder}/ledger.db")
    site = Connections(practice=practice, systems={"main": tested.system}, ledger=ledger).site("here")
    rule = practice.rule("here", "cleaning").model_copy(update=changes)
    await site.read_day(NINE, rule)
    before = tested.sandbox.calls(tested.sandbox_system)
    await site.read_day(NINE, rule, allow_stale_blocks=True)
    await site.read_day(NINE, rule)
    return tested.sandbox.calls(tested.sandbox_system) - before


async def test_location_that_shares_a_provider_costs_no_call_where_one_reading_serves_all(
    sandbox: SandboxControl, tmp_path: Path
) -> None:
    with practice_under_test(sandbox, "ascend") as tested:
        only_here = {"providers": (tested.providers[1],)}
        alone = await calls_to_read_the_day(tested, tmp_path, **only_here)
        assert await calls_to_read_the_day(tested, tmp_path) == alone == 3, "appointments twice, closed time once"
        await tested.system.close()


async def test_service_whose_providers_work_nowhere_else_reads_no_other_location(
    sandbox: SandboxControl, tmp_path: Path
) -> None:
    with practice_under_test(sandbox, "nexhealth dentrix") as tested:
        only_here = {"providers": (tested.providers[1],)}
        assert await calls_to_read_the_day(tested, tmp_path, **only_here) == 2
        await tested.system.close()


async def test_nexhealth_is_asked_for_both_locations_at_once(sandbox: SandboxControl, tmp_path: Path) -> None:
    with practice_under_test(sandbox, "nexhealth dentrix") as tested:
        assert await calls_to_read_the_day(tested, tmp_path) == 4
        sandbox.fault(system="nexhealth", path="^/appointments$", kind="hold_before", seconds=60)
        sandbox.fault(system="nexhealth", path="^/appointments$", kind="hold_before", seconds=60)
        reading = asyncio.create_task(conflict_causes(tested, tmp_path))
        await wait_until(lambda: len(sandbox.held()) == 2)
        sandbox.release()
        assert await reading == []
        await tested.system.close()


@pytest.mark.parametrize("connection", LOCATIONS)
async def test_row_that_ends_before_it_starts_leaves_the_neighbor_open_and_is_told_once(
    sandbox: SandboxControl, ledger: Ledger, connection: str
) -> None:
    (_, operatory), (there, operatory_there), provider = LOCATIONS[connection]
    practice = practice_on(connection)
    with practice_under_test(sandbox, connection) as tested:
        book_backwards(tested, operatory_there, provider)
        connections = Connections(practice=practice, systems={"main": tested.system}, ledger=ledger)
        for name in ("here", "there"):
            starts = await open_starts(connections, name)
            assert {NINE + HOUR * hours for hours in range(-1, 5)} <= starts
            assert max(starts) == NINE + 4 * HOUR, "from two o'clock on, the provider may be busy"
        slot = Slot(time=span(NINE, 60), provider=provider, operatory=operatory)
        written = await claim_and_write(connections, slot, tested.patient)
        assert written.conflicts == ()
        assert written.appointment is not None
        assert written.appointment.slot == slot
        calendar = await tested.system.read_calendar(there, DAY)
        guesses = {(block.operatory, block.provider) for block in calendar.blocks if block.is_guess}
        assert guesses == {(operatory_there, None), (None, provider)}
        (told,) = tested.system.take_unreadable_rows()
        assert (told.location, told.kind.split()[0]) == (there, "appointment")
        await tested.system.close()
