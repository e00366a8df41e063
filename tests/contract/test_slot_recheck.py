"""Why a slot is not available: the live calendar, the rules and the claims together."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.connections import Connections
from activities.hold_contracts import ConfirmHoldInput, WriteRecord
from activities.holds import HoldActivities
from activities.release import ReleaseActivities, ReleaseInput
from activities.slots import SlotActivities, SlotCheck, SlotRequest, openings_facts
from adapters.ascend import AscendSystem
from adapters.ledger import Ledger
from adapters.ledger.claims import MAX_CLAIMS_PER_CONTACT
from adapters.practice_system import Hold
from domain.interval import span
from domain.keyed_hash import KeyedHash
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
    confirmed = await ActivityEnvironment().run(HoldActivities(connections).confirm_hold, confirm)
    assert confirmed.appointment is not None
    assert await office.ledger.claims.count_booked("oakland", "cleaning", DAY, DAY, datetime.now(UTC)) == {DAY: 1}


async def test_spellings_of_one_contact_share_one_claim_limit(office: Office) -> None:
    connections = office.connections(duration="5m", slot_step="5m")
    requests = [
        {"start": ELEVEN + timedelta(minutes=5 * number), "contact": f"{local}@patients.example"}
        for number, local in enumerate(("nova", "Nova", "nova+1", "NOVA", "nOva+2", "NoVa"))
    ]
    checks = [await office.recheck(connections, **request) for request in requests]
    assert [check.too_many_open for check in checks] == [False] * MAX_CLAIMS_PER_CONTACT + [True]
