"""What is ours may be taken back, what the desk has made its own may not: on every practice system, over real HTTP."""

from datetime import timedelta

import pytest

from adapters.errors import NotAuthorized
from adapters.practice_system import ReleaseOutcome
from domain.calendar import Appointment, AppointmentStatus
from domain.reference import new_reference
from tests.support.practice_systems import NINE, Bench


async def status_of(at: Bench, appointment: Appointment) -> AppointmentStatus:
    at.settle()
    return (await at.system.get_appointment(appointment.id)).status


async def take_back(at: Bench, way: str, appointment_id: str, reference: str) -> ReleaseOutcome:
    if way == "withdraw":
        return await at.system.withdraw(appointment_id, reference)
    return await at.system.cancel(appointment_id, reference, "Cancelled online")


async def test_what_is_still_ours_is_taken_back_once_and_for_all(at: Bench) -> None:
    tentative, final = at.hold(), at.hold(NINE + timedelta(hours=3))
    held, confirmed = await at.landed(tentative), await at.landed(final)
    await at.system.confirm_hold(confirmed.id, final)
    at.settle()
    for _ in range(2):
        assert await at.system.withdraw(held.id, tentative.reference, wrote=[tentative.slot]) is ReleaseOutcome.RELEASED
        assert await at.system.cancel(confirmed.id, final.reference, "Cancelled online") is ReleaseOutcome.RELEASED
        at.settle()
    for wanted in (tentative, final):
        assert await at.system.find_by_reference(wanted.reference, at.location, wanted.slot.time.start) == []


@pytest.mark.parametrize("way", ["withdraw", "cancel"])
@pytest.mark.parametrize("does", ["here", "completed"])
async def test_a_visit_under_way_or_done_is_left_as_it_is(at: Bench, way: str, does: str) -> None:
    wanted = at.hold()
    placed = await at.landed(wanted)
    at.says(placed.id, does)
    assert await take_back(at, way, placed.id, wanted.reference) is ReleaseOutcome.KEPT_BY_DESK
    seen = AppointmentStatus.ARRIVED if does == "here" else AppointmentStatus.COMPLETED
    assert await status_of(at, placed) is seen


async def test_a_hold_that_the_desk_confirmed_is_its_own_and_a_patient_may_cancel_it(at: Bench) -> None:
    wanted = at.hold()
    placed = await at.landed(wanted)
    at.says(placed.id, "confirmed")
    assert await at.system.withdraw(placed.id, wanted.reference) is ReleaseOutcome.KEPT_BY_DESK
    assert await status_of(at, placed) is AppointmentStatus.CONFIRMED
    assert await at.system.cancel(placed.id, wanted.reference, "Cancelled online") is ReleaseOutcome.RELEASED
    assert not (await status_of(at, placed)).occupies_time


async def test_a_hold_that_the_desk_moved_is_its_own(at: Bench) -> None:
    wanted = at.hold()
    placed = await at.landed(wanted)
    at.desk(do="move", id=placed.id, start=(NINE + timedelta(hours=1)).isoformat())
    assert await at.system.withdraw(placed.id, wanted.reference, wrote=[wanted.slot]) is ReleaseOutcome.KEPT_BY_DESK
    moved = await at.system.get_appointment(placed.id)
    assert moved.status is AppointmentStatus.TENTATIVE
    assert (
        await at.system.withdraw(placed.id, wanted.reference, wrote=[wanted.slot, moved.slot])
        is ReleaseOutcome.RELEASED
    )


async def test_a_hold_that_the_desk_gave_to_another_patient_is_its_own(at: Bench) -> None:
    wanted = at.hold()
    placed = await at.landed(wanted)
    at.desk(do="move", id=placed.id, patient=at.other_patient)
    ours = [wanted.patient]
    assert await at.system.withdraw(placed.id, wanted.reference, wrote_for=ours) is ReleaseOutcome.KEPT_BY_DESK
    given = await at.system.get_appointment(placed.id)
    assert given.status is AppointmentStatus.TENTATIVE
    ours.append(given.patient)
    assert await at.system.withdraw(placed.id, wanted.reference, wrote_for=ours) is ReleaseOutcome.RELEASED


async def test_a_hold_that_the_desk_gave_to_another_patient_and_broke_is_gone(at: Bench) -> None:
    wanted = at.hold()
    placed = await at.landed(wanted)
    at.desk(do="move", id=placed.id, patient=at.other_patient)
    at.says(placed.id, "cancelled")
    assert await at.system.withdraw(placed.id, wanted.reference, wrote_for=[wanted.patient]) is ReleaseOutcome.RELEASED


async def test_what_does_not_carry_our_reference_is_not_ours(at: Bench) -> None:
    wanted = at.hold()
    placed = await at.landed(wanted)
    assert await at.system.withdraw(placed.id, new_reference()) is ReleaseOutcome.KEPT_BY_DESK
    assert await at.system.cancel(placed.id, new_reference(), "x") is ReleaseOutcome.KEPT_BY_DESK
    assert await status_of(at, placed) is AppointmentStatus.TENTATIVE


async def test_what_the_desk_broke_missed_or_deleted_is_gone_and_stays_as_it_is(at: Bench) -> None:
    for hours, does in enumerate(("cancelled", "missed", "delete")):
        wanted = at.hold(NINE + timedelta(hours=hours))
        placed = await at.landed(wanted)
        if does == "delete":
            at.desk(do="delete", id=placed.id)
        else:
            at.says(placed.id, does)
        assert await at.system.withdraw(placed.id, wanted.reference, wrote=[wanted.slot]) is ReleaseOutcome.RELEASED
        assert await at.system.cancel(placed.id, wanted.reference, "x") is ReleaseOutcome.RELEASED
        if does == "missed":
            assert await status_of(at, placed) is AppointmentStatus.NO_SHOW
        elif does == "cancelled":
            assert await status_of(at, placed) is AppointmentStatus.BROKEN


@pytest.mark.parametrize("way", ["withdraw", "cancel"])
async def test_being_refused_is_not_taken_for_being_gone(at: Bench, way: str) -> None:
    wanted = at.hold()
    placed = await at.landed(wanted)
    at.sandbox.fault(system=at.wire, method="GET", path=rf"{at.appointments}/\d+", kind="forbidden")
    with pytest.raises(NotAuthorized):
        await take_back(at, way, placed.id, wanted.reference)
    assert await status_of(at, placed) is AppointmentStatus.TENTATIVE


async def test_the_chart_that_the_desk_put_on_the_hold_stays(at: Bench) -> None:
    wanted = at.hold()
    placed = await at.landed(wanted)
    at.desk(do="move", id=placed.id, patient=at.other_patient)
    theirs = (await at.system.get_appointment(placed.id)).patient
    confirmed = await at.system.confirm_hold(placed.id, wanted, written_for=wanted.patient)
    assert theirs != wanted.patient
    assert confirmed.patient == theirs
    at.settle()
    assert (await at.system.get_appointment(placed.id)).patient == theirs
