"""The patient or the desk picks another time while the first one could not be had."""

from datetime import UTC, datetime, timedelta

import pytest

from activities.hold_contracts import ConfirmHoldResult, HoldResult
from activities.slots import SlotCheck
from client import DeskClient, NotPossible
from domain.booking import Reason, Status
from domain.calendar import AppointmentStatus
from domain.rules import Confirmation
from domain.slot import Cause, Conflict
from tests.support.polling import wait_until
from tests.support.workflow_handles import APPROVE, resolve, wait_for_confirmed, wait_for_exception
from tests.support.workflow_harness import WorkflowHarness
from workflows.booking.contracts import RequestedTime, Resolution, ResolutionKind
from workflows.booking.workflow import BookingWorkflow


@pytest.mark.parametrize("who", ["patient", "staff"])
async def test_past_time_is_refused_and_another_can_be_picked(
    harness: WorkflowHarness, bookings: DeskClient, who: str
) -> None:
    conflicts = (Conflict(cause=Cause.APPOINTMENT, time=harness.slot.time),)
    harness.responses["recheck_slot"] = lambda _: SlotCheck(conflicts=conflicts, alternatives=(harness.slot,))
    handle = await harness.start_booking()
    view = await wait_for_exception(handle, Reason.SLOT_TAKEN)
    past = datetime.now(UTC) - timedelta(minutes=5)
    pick_time = {
        "patient": lambda: bookings.reschedule(view.request_id, RequestedTime(start=past)),
        "staff": lambda: bookings.resolve(view.request_id, Resolution(kind=ResolutionKind.START, start=past)),
    }
    with pytest.raises(NotPossible, match="That time is in the past"):
        await pick_time[who]()
    harness.responses["recheck_slot"] = lambda _: SlotCheck(slot=harness.slot)
    await bookings.reschedule(view.request_id, RequestedTime(start=harness.slot.time.start))
    await wait_for_confirmed(handle)


@pytest.mark.parametrize(
    ("cause", "reason"), [(Cause.CAP, Reason.DAY_FULL), (Cause.HOURS, Reason.OUTSIDE_RULES)], ids=["full", "closed"]
)
async def test_patient_may_pick_a_third_time_if_the_second_is_not_available(
    harness: WorkflowHarness, bookings: DeskClient, cause: Cause, reason: Reason
) -> None:
    recheck_slot = harness.responses["recheck_slot"]
    harness.responses["recheck_slot"] = SlotCheck(conflicts=(Conflict(cause=Cause.APPOINTMENT),))
    handle = await harness.start_booking()
    view = await wait_for_exception(handle, Reason.SLOT_TAKEN)
    second, third = (harness.slot.time.start + timedelta(days=days) for days in (1, 2))
    harness.responses["recheck_slot"] = SlotCheck(conflicts=(Conflict(cause=cause), Conflict(cause=Cause.APPOINTMENT)))
    await bookings.reschedule(view.request_id, RequestedTime(start=second))
    await wait_for_exception(handle, reason)
    harness.responses["recheck_slot"] = recheck_slot
    harness.move_slot(third)
    await bookings.reschedule(view.request_id, RequestedTime(start=third))
    assert (await wait_for_confirmed(handle)).start == third


async def test_time_that_the_patient_picks_after_an_approval_needs_a_new_approval(harness: WorkflowHarness) -> None:
    """The approved slot is lost before it is confirmed."""
    harness.responses["write_hold"] = lambda request: HoldResult(
        appointment=harness.appointment(status=AppointmentStatus.TENTATIVE), confirmed=request.confirm
    )
    handle = await harness.start_booking(confirmation=Confirmation.STAFF)
    await wait_for_exception(handle, Reason.APPROVAL)
    harness.responses["confirm_hold"] = ConfirmHoldResult(conflicts=(Conflict(cause=Cause.APPOINTMENT),))
    harness.responses["find_alternatives"] = SlotCheck()
    await resolve(handle, APPROVE)
    await wait_for_exception(handle, Reason.SLOT_TAKEN)
    later = harness.slot.time.start + timedelta(days=1)
    harness.move_slot(later)
    await handle.execute_update(BookingWorkflow.reschedule, RequestedTime(start=later))
    assert (await wait_for_exception(handle, Reason.APPROVAL)).status is Status.HELD


async def test_requested_provider_is_kept_at_another_time(harness: WorkflowHarness) -> None:
    harness.responses["recheck_slot"] = SlotCheck(conflicts=(Conflict(cause=Cause.APPOINTMENT),))
    handle = await harness.start_booking(provider="2")
    await wait_for_exception(handle, Reason.SLOT_TAKEN)
    await handle.execute_update(
        BookingWorkflow.reschedule, RequestedTime(start=harness.slot.time.start + timedelta(days=1))
    )
    await wait_until(lambda: len(harness.calls_to("recheck_slot")) == 2)
    assert [call.provider for call in harness.calls_to("recheck_slot")] == ["2", "2"]
