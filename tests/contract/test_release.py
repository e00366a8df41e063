"""Our appointments can be released, and those that the desk has made theirs are kept, on every practice system."""

from datetime import timedelta

import pytest

from adapters.errors import NotAuthorized
from adapters.practice_system import ReleaseOutcome
from domain.calendar import Appointment, AppointmentStatus
from domain.reference import new_reference
from tests.support.practice_systems import NINE, PracticeUnderTest


async def status_of(practice: PracticeUnderTest, appointment: Appointment) -> AppointmentStatus:
    practice.settle()
    return (await practice.system.get_appointment(appointment.id)).status


async def remove(practice: PracticeUnderTest, method: str, appointment_id: str, reference: str) -> ReleaseOutcome:
    if method == "release":
        return await practice.system.release(appointment_id, reference)
    return await practice.system.cancel(appointment_id, reference, "Cancelled online")


async def test_our_own_appointments_are_released_and_cancelled_idempotently(practice: PracticeUnderTest) -> None:
    tentative_hold, final_hold = practice.hold(), practice.hold(NINE + timedelta(hours=3))
    held, confirmed = await practice.place_landed(tentative_hold), await practice.place_landed(final_hold)
    await practice.system.confirm_hold(confirmed.id, final_hold)
    practice.settle()
    for _ in range(2):
        assert (
            await practice.system.release(held.id, tentative_hold.reference, written_slots=[tentative_hold.slot])
            is ReleaseOutcome.RELEASED
        )
        assert (
            await practice.system.cancel(confirmed.id, final_hold.reference, "Cancelled online")
            is ReleaseOutcome.RELEASED
        )
        practice.settle()
    for hold in (tentative_hold, final_hold):
        assert await practice.system.find_by_reference(hold.reference, practice.location, hold.slot.time.start) == []


@pytest.mark.parametrize("method", ["release", "cancel"])
@pytest.mark.parametrize("status", ["here", "completed"])
async def test_visit_that_has_begun_or_is_over_is_kept(practice: PracticeUnderTest, method: str, status: str) -> None:
    hold = practice.hold()
    placed = await practice.place_landed(hold)
    practice.set_status(placed.id, status)
    assert await remove(practice, method, placed.id, hold.reference) is ReleaseOutcome.KEPT_BY_DESK
    expected = AppointmentStatus.ARRIVED if status == "here" else AppointmentStatus.COMPLETED
    assert await status_of(practice, placed) is expected


async def test_hold_that_the_desk_confirmed_is_kept_but_can_be_cancelled(practice: PracticeUnderTest) -> None:
    hold = practice.hold()
    placed = await practice.place_landed(hold)
    practice.set_status(placed.id, "confirmed")
    assert await practice.system.release(placed.id, hold.reference) is ReleaseOutcome.KEPT_BY_DESK
    assert await status_of(practice, placed) is AppointmentStatus.CONFIRMED
    assert await practice.system.cancel(placed.id, hold.reference, "Cancelled online") is ReleaseOutcome.RELEASED
    assert not (await status_of(practice, placed)).occupies_time


async def test_hold_that_the_desk_moved_is_kept(practice: PracticeUnderTest) -> None:
    hold = practice.hold()
    placed = await practice.place_landed(hold)
    practice.desk(do="move", id=placed.id, start=(NINE + timedelta(hours=1)).isoformat())
    assert (
        await practice.system.release(placed.id, hold.reference, written_slots=[hold.slot])
        is ReleaseOutcome.KEPT_BY_DESK
    )
    moved = await practice.system.get_appointment(placed.id)
    assert moved.status is AppointmentStatus.TENTATIVE
    assert (
        await practice.system.release(placed.id, hold.reference, written_slots=[hold.slot, moved.slot])
        is ReleaseOutcome.RELEASED
    )


async def test_hold_that_the_desk_gave_to_another_patient_is_kept(practice: PracticeUnderTest) -> None:
    hold = practice.hold()
    placed = await practice.place_landed(hold)
    practice.desk(do="move", id=placed.id, patient=practice.other_patient)
    our_patients = [hold.patient]
    assert (
        await practice.system.release(placed.id, hold.reference, written_patients=our_patients)
        is ReleaseOutcome.KEPT_BY_DESK
    )
    appointment = await practice.system.get_appointment(placed.id)
    assert appointment.status is AppointmentStatus.TENTATIVE
    our_patients.append(appointment.patient)
    assert (
        await practice.system.release(placed.id, hold.reference, written_patients=our_patients)
        is ReleaseOutcome.RELEASED
    )


async def test_hold_that_the_desk_gave_to_another_patient_and_broke_counts_as_released(
    practice: PracticeUnderTest,
) -> None:
    hold = practice.hold()
    placed = await practice.place_landed(hold)
    practice.desk(do="move", id=placed.id, patient=practice.other_patient)
    practice.set_status(placed.id, "cancelled")
    assert (
        await practice.system.release(placed.id, hold.reference, written_patients=[hold.patient])
        is ReleaseOutcome.RELEASED
    )


async def test_appointment_with_another_reference_is_kept(practice: PracticeUnderTest) -> None:
    hold = practice.hold()
    placed = await practice.place_landed(hold)
    assert await practice.system.release(placed.id, new_reference()) is ReleaseOutcome.KEPT_BY_DESK
    assert await practice.system.cancel(placed.id, new_reference(), "x") is ReleaseOutcome.KEPT_BY_DESK
    assert await status_of(practice, placed) is AppointmentStatus.TENTATIVE


async def test_broken_missed_or_deleted_appointment_counts_as_released_and_is_not_changed(
    practice: PracticeUnderTest,
) -> None:
    for hours, action in enumerate(("cancelled", "missed", "delete")):
        hold = practice.hold(NINE + timedelta(hours=hours))
        placed = await practice.place_landed(hold)
        if action == "delete":
            practice.desk(do="delete", id=placed.id)
        else:
            practice.set_status(placed.id, action)
        assert (
            await practice.system.release(placed.id, hold.reference, written_slots=[hold.slot])
            is ReleaseOutcome.RELEASED
        )
        assert await practice.system.cancel(placed.id, hold.reference, "x") is ReleaseOutcome.RELEASED
        if action == "missed":
            assert await status_of(practice, placed) is AppointmentStatus.NO_SHOW
        elif action == "cancelled":
            assert await status_of(practice, placed) is AppointmentStatus.BROKEN


@pytest.mark.parametrize("method", ["release", "cancel"])
async def test_refused_read_does_not_count_as_released(practice: PracticeUnderTest, method: str) -> None:
    hold = practice.hold()
    placed = await practice.place_landed(hold)
    practice.sandbox.fault(
        system=practice.sandbox_system, method="GET", path=rf"{practice.appointments_path}/\d+", kind="forbidden"
    )
    with pytest.raises(NotAuthorized):
        await remove(practice, method, placed.id, hold.reference)
    assert await status_of(practice, placed) is AppointmentStatus.TENTATIVE


async def test_patient_whom_the_desk_put_on_the_hold_stays(practice: PracticeUnderTest) -> None:
    hold = practice.hold()
    placed = await practice.place_landed(hold)
    practice.desk(do="move", id=placed.id, patient=practice.other_patient)
    desk_patient = (await practice.system.get_appointment(placed.id)).patient
    confirmed = await practice.system.confirm_hold(placed.id, hold, written_for=hold.patient)
    assert desk_patient != hold.patient
    assert confirmed.patient == desk_patient
    practice.settle()
    assert (await practice.system.get_appointment(placed.id)).patient == desk_patient
