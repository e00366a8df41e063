"""Why a time is not to be had, and what is offered instead: the live calendar, the rules and the claims together."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.connections import Connections, utc_now
from activities.hold_contracts import ConfirmHoldInput, WriteRecord
from activities.holds import HoldActivities
from activities.release import ReleaseActivities, ReleaseInput
from activities.slots import SlotActivities, SlotCheck, SlotRequest, outlook
from adapters.ascend import AscendSystem
from adapters.ledger import Ledger
from adapters.ledger.claims import CONTACT_LIMIT
from adapters.practice_system import Hold
from domain.interval import span
from domain.keyed_hash import KeyedHash
from domain.practice import Practice
from domain.reference import new_reference
from domain.schedule import openings
from domain.slot import Slot
from tests.contract.test_ascend import PATIENT
from tests.support.practice_systems import TUESDAY, at_any_time
from tests.support.practices import cleaning, location, practice_of
from tests.support.sandbox import SandboxControl

ELEVEN = datetime.combine(TUESDAY, time(19), UTC)
"""In Los Angeles; the practice closes at noon."""
DAY = TUESDAY
OAKLAND, DENVER = "7000000000101", "7000000000102"
MAPLE, HAZEL = "9000000000201", "9000000000202"
OP1, OP2, OP9 = "12000000000301", "12000000000302", "12000000000311"


def practice_with(**service: Any) -> Practice:
    """Two locations between which Maple and Hazel go to and fro."""
    shared = {"providers": {"maple": MAPLE, "hazel": HAZEL}, "horizon": "900d", "services": [cleaning(**service)]}
    return practice_of(
        location("oakland", practice_system_id=OAKLAND, operatories={"op1": OP1, "op2": OP2}, **shared),
        location("denver", practice_system_id=DENVER, operatories={"op9": OP9}, **shared),
    )


class Desk:
    """The steps of a practice with these rules, and a hand on its calendar."""

    def __init__(self, sandbox: SandboxControl, system: AscendSystem, ledger: Ledger) -> None:
        self.sandbox, self.system, self.ledger = sandbox, system, ledger

    def parts(self, **service: Any) -> Connections:
        return Connections(practice=practice_with(**service), systems={"main": self.system}, ledger=self.ledger)

    async def checks(self, parts: Connections, **wanted: Any) -> SlotCheck:
        asked = {"reference": new_reference(), "location": "oakland", "service": "cleaning", "start": ELEVEN}
        given = SlotRequest.model_validate(asked | {"claim_expires_at": utc_now() + timedelta(hours=1)} | wanted)
        return await ActivityEnvironment().run(SlotActivities(parts, KeyedHash(b"k" * 32)).recheck_slot, given)


@pytest.fixture
def desk(sandbox: SandboxControl, ascend: AscendSystem, ledger: Ledger) -> Desk:
    return Desk(sandbox, ascend, ledger)


async def test_a_taken_time_is_not_outside_the_rules_because_another_provider_takes_longer(desk: Desk) -> None:
    """Maple's ninety minutes do not end by noon; Hazel, who could have had it, is busy."""
    desk.sandbox.desk(do="book", start=ELEVEN.isoformat(), operatory=OP1, provider=HAZEL, patient=PATIENT)
    found = await desk.checks(desk.parts(duration_by_provider={"maple": "90m"}))
    assert found.slot is None
    assert not any(conflict.cause.is_rule for conflict in found.conflicts)


async def test_what_a_provider_is_claimed_for_elsewhere_is_not_offered_here(desk: Desk) -> None:
    parts = desk.parts()
    assert (await desk.checks(parts, location="denver", provider=HAZEL)).slot is not None
    rule, begin = parts.practice.rule("oakland", "cleaning"), ELEVEN - timedelta(days=1)
    facts = await outlook(parts, parts.site("oakland"), rule, begin, begin + timedelta(days=2))
    assert {slot.provider for slot in openings(facts, DAY, 1) if slot.time.start == ELEVEN} == {MAPLE}
    assert (await desk.checks(parts, provider=HAZEL)).slot is None


async def test_what_the_desk_confirmed_as_its_hold_expired_counts_for_the_cap(desk: Desk) -> None:
    parts, reference = desk.parts(), new_reference()
    slot = Slot(time=span(ELEVEN, 60), provider=HAZEL, operatory=OP1)
    assert (await desk.checks(parts, reference=reference, provider=HAZEL, operatory=OP1)).slot == slot
    hold = Hold(reference=reference, location=OAKLAND, slot=slot, patient=PATIENT, title="Cleaning")
    placed = await desk.system.place_hold(hold, at_any_time)
    desk.sandbox.desk(do="set_status", id=placed.id, status="CONFIRMED")
    place = {"reference": reference, "location": "oakland", "appointment_id": placed.id}
    expired = ReleaseInput(**place, start=ELEVEN, slots=(slot,), patients=(PATIENT,))
    kept = await ActivityEnvironment().run(ReleaseActivities(parts).release_hold, expired)
    assert [appointment.id for appointment in kept.kept] == [placed.id]
    write = WriteRecord(slot=slot, patient=PATIENT)
    adopted = ConfirmHoldInput(**place, service="cleaning", slot=slot, patient=PATIENT, writes=(write,))
    confirmed = await ActivityEnvironment().run(HoldActivities(parts).confirm_hold, adopted)
    assert confirmed.appointment is not None
    assert await desk.ledger.claims.booked("oakland", "cleaning", DAY, DAY, utc_now()) == {DAY: 1}


async def test_a_contact_stays_one_however_it_is_written(desk: Desk) -> None:
    parts = desk.parts(duration="5m", slot_step="5m")
    asked = [
        {"start": ELEVEN + timedelta(minutes=5 * number), "contact": f"{local}@patients.example"}
        for number, local in enumerate(("nova", "Nova", "nova+1", "NOVA", "nOva+2", "NoVa"))
    ]
    checks = [await desk.checks(parts, **each) for each in asked]
    assert [check.too_many_open for check in checks] == [False] * CONTACT_LIMIT + [True]
