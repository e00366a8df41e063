"""Why a slot is not available: the live calendar, the rules and the claims together."""

import asyncio
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.connections import Connections
from activities.hold_contracts import ConfirmHoldInput, WriteHoldInput, WriteRecord
from activities.holds import HoldActivities
from activities.release import ReleaseActivities, ReleaseInput
from activities.slots import SlotActivities, SlotCheck, SlotRequest, openings_facts
from activities.visitors import VisitorInput
from adapters.ascend import AscendSystem
from adapters.ledger import Ledger
from adapters.practice_system import Hold
from domain.booking import Reason
from domain.interval import span
from domain.keyed_hash import KeyedHash
from domain.policy import VisitLimits
from domain.practice import Practice
from domain.reference import new_reference
from domain.schedule import openings
from domain.slot import Slot
from tests.contract.test_ascend import PATIENT
from tests.support.practice_systems import TUESDAY, unlimited_permit
from tests.support.practices import cleaning, location, practice_of
from tests.support.sandbox import SandboxControl

ELEVEN = datetime.combine(TUESDAY, time(19), UTC)
"""Eleven o'clock in Los Angeles. The practice closes at noon."""
DAY = TUESDAY
OAKLAND, DENVER = "7000000000101", "7000000000102"
MAPLE, HAZEL = "9000000000201", "9000000000202"
OP1, OP2, OP9 = "12000000000301", "12000000000302", "12000000000311"


def practice_with(**service: Any) -> Practice:
    """Two locations at which Maple and Hazel both work."""
    shared = {"providers": {"maple": MAPLE, "hazel": HAZEL}, "horizon": "900d", "services": [cleaning(**service)]}
    return practice_of(
        location("oakland", practice_system_id=OAKLAND, operatories={"op1": OP1, "op2": OP2}, **shared),
        location("denver", practice_system_id=DENVER, operatories={"op9": OP9}, **shared),
    )


class Office:
    """The activities of a practice, and its calendar in the sandbox."""

    def __init__(self, sandbox: SandboxControl, system: AscendSystem, ledger: Ledger) -> None:
        self.sandbox, self.system, self.ledger = sandbox, system, ledger

    def connections(self, **service: Any) -> Connections:
        return Connections(practice=practice_with(**service), systems={"main": self.system}, ledger=self.ledger)

    async def recheck(self, connections: Connections, **changes: Any) -> SlotCheck:
        fields = {"reference": new_reference(), "location": "oakland", "service": "cleaning", "start": ELEVEN}
        request = SlotRequest.model_validate(
            fields | {"claim_expires_at": datetime.now(UTC) + timedelta(hours=1)} | changes
        )
        return await ActivityEnvironment().run(SlotActivities(connections, KeyedHash(b"k" * 32)).recheck_slot, request)


@pytest.fixture
def office(sandbox: SandboxControl, ascend: AscendSystem, ledger: Ledger) -> Office:
    return Office(sandbox, ascend, ledger)


async def test_lost_slot_is_not_blamed_on_the_rules_because_another_provider_takes_longer(office: Office) -> None:
    """Maple's ninety minutes would end after noon. Hazel could end in time, but is busy."""
    office.sandbox.desk(do="book", start=ELEVEN.isoformat(), operatory=OP1, provider=HAZEL, patient=PATIENT)
    check = await office.recheck(office.connections(duration_by_provider={"maple": "90m"}))
    assert check.slot is None
    assert not any(conflict.cause.is_rule for conflict in check.conflicts)


async def test_provider_who_is_claimed_at_another_location_is_not_offered_here(office: Office) -> None:
    connections = office.connections()
    assert (await office.recheck(connections, location="denver", provider=HAZEL)).slot is not None
    rule, begin = connections.practice.rule("oakland", "cleaning"), ELEVEN - timedelta(days=1)
    facts = await openings_facts(connections, connections.site("oakland"), rule, begin, begin + timedelta(days=2))
    assert {slot.provider for slot in openings(facts, DAY, 1) if slot.time.start == ELEVEN} == {MAPLE}
    assert (await office.recheck(connections, provider=HAZEL)).slot is None


async def test_hold_that_the_desk_confirmed_when_it_expired_counts_for_the_daily_limit(office: Office) -> None:
    connections, reference = office.connections(), new_reference()
    slot = Slot(time=span(ELEVEN, 60), provider=HAZEL, operatory=OP1)
    assert (await office.recheck(connections, reference=reference, provider=HAZEL, operatory=OP1)).slot == slot
    hold = Hold(reference=reference, location=OAKLAND, slot=slot, patient=PATIENT, title="Cleaning")
    placed = await office.system.write_hold(hold, unlimited_permit)
    office.sandbox.desk(do="set_status", id=placed.id, status="CONFIRMED")
    fields = {"reference": reference, "location": "oakland", "appointment_id": placed.id}
    release = ReleaseInput(**fields, start=ELEVEN, slots=(slot,), patients=(PATIENT,))
    result = await ActivityEnvironment().run(ReleaseActivities(connections).release_everything, release)
    assert [appointment.id for appointment in result.remaining] == [placed.id]
    write = WriteRecord(slot=slot, patient=PATIENT)
    confirm = ConfirmHoldInput(**fields, service="cleaning", slot=slot, patient=PATIENT, writes=(write,))
    confirmed = await ActivityEnvironment().run(HoldActivities(connections, KeyedHash(b"k" * 32)).confirm_hold, confirm)
    assert confirmed.appointment is not None
    assert await office.ledger.claims.count_booked("oakland", "cleaning", DAY, DAY, datetime.now(UTC)) == {DAY: 1}


async def test_spellings_of_one_contact_share_one_limit(office: Office) -> None:
    connections = office.connections(duration="5m", slot_step="5m")
    limits = VisitLimits(per_contact=5)
    checks = [
        await office.recheck(
            connections,
            start=ELEVEN + timedelta(minutes=5 * number),
            visitor=VisitorInput(person=f"person {number}", contacts=(f"{local}@patients.example",)),
            limits=limits,
        )
        for number, local in enumerate(("nova", "Nova", "nova+1", "NOVA", "nOva+2", "NoVa"))
    ]
    assert [check.refused_for for check in checks] == [None] * 5 + [Reason.TOO_MANY_OPEN]


async def test_contacts_that_say_nothing_are_not_counted(office: Office) -> None:
    """Many patients have the same filler, or the practice's own number, because the desk had to type something."""
    connections = office.connections(duration="5m", slot_step="5m")
    for number, contact in enumerate(("none@none.com", "none@none.com", "+19999999999", "+19999999999")):
        visitor = VisitorInput(person=f"person {number}", contacts=(contact, connections.practice.locations[0].phone))
        start = ELEVEN + timedelta(minutes=5 * number)
        check = await office.recheck(connections, start=start, visitor=visitor, limits=VisitLimits(per_contact=1))
        assert check.slot is not None


async def test_who_loses_the_claim_is_offered_alternatives_from_one_shared_reading(office: Office) -> None:
    connections = office.connections()
    activities = SlotActivities(connections, KeyedHash(b"k" * 32))
    requests = [
        SlotRequest(
            reference=new_reference(),
            location="oakland",
            service="cleaning",
            start=ELEVEN,
            provider=HAZEL,
            operatory=OP1,
            claim_expires_at=datetime.now(UTC) + timedelta(hours=1),
        )
        for _ in range(200)
    ]
    run = ActivityEnvironment().run
    claimed = [await run(activities.claim_slot, request) for request in requests]
    assert claimed == [True] + [False] * 199
    before = office.sandbox.calls("ascend")
    checks = await asyncio.gather(*(run(activities.recheck_slot, request) for request in requests[1:]))
    calls = office.sandbox.calls("ascend") - before
    assert all(check.slot is None and check.alternatives for check in checks)
    assert calls <= 10


async def test_winner_reads_the_day_itself_although_others_share_a_reading(office: Office) -> None:
    connections = office.connections()
    activities = SlotActivities(connections, KeyedHash(b"k" * 32))
    await office.recheck(connections, provider=HAZEL, operatory=OP1)
    fields = {"location": "oakland", "service": "cleaning", "start": ELEVEN, "operatory": OP1}
    expires = {"claim_expires_at": datetime.now(UTC) + timedelta(hours=1)}
    lost = SlotRequest(reference=new_reference(), **fields, **expires)
    assert (await ActivityEnvironment().run(activities.recheck_slot, lost)).alternatives
    later = ELEVEN - timedelta(hours=1)
    office.sandbox.desk(do="book", start=later.isoformat(), operatory=OP2, provider=MAPLE, patient=PATIENT)
    winner = SlotRequest(
        **dict(lost) | {"reference": new_reference(), "start": later, "provider": MAPLE, "operatory": OP2}
    )
    assert (await ActivityEnvironment().run(activities.recheck_slot, winner)).slot is None


async def test_second_write_for_one_chart_is_refused_although_the_names_differ(office: Office) -> None:
    """Rob and Robert are one patient, which only the chart says. No appointment is written, and no slot is kept."""
    connections, holds = office.connections(), HoldActivities(office.connections(), KeyedHash(b"k" * 32))
    limits = VisitLimits()
    inputs = []
    for number, person in enumerate(("robert", "rob")):
        reference, start = new_reference(), ELEVEN - timedelta(hours=number)
        visitor = VisitorInput(person=person)
        check = await office.recheck(connections, reference=reference, start=start, visitor=visitor, limits=limits)
        assert check.slot is not None
        fields = {"reference": reference, "location": "oakland", "service": "cleaning", "slot": check.slot}
        inputs.append(WriteHoldInput(**fields, patient=PATIENT, visitor=visitor, limits=limits))
    results = [await ActivityEnvironment().run(holds.write_hold, each) for each in inputs]
    assert [result.refused_for for result in results] == [None, Reason.SAME_SERVICE]
    assert len(office.sandbox.state()["appointments"]) == 1
    assert (await office.recheck(connections, start=ELEVEN - timedelta(hours=1))).slot is not None
    again = [await ActivityEnvironment().run(holds.write_hold, inputs[0])]
    assert [result.refused_for for result in again] == [None]
