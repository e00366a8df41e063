"""A hold is moved to another time: the earlier hold stands until the new one has landed."""

import asyncio
from datetime import timedelta
from typing import Any

from activities.hold_contracts import ConfirmHoldResult, HoldResult
from activities.release import ReleaseResult
from activities.slots import SlotCheck
from adapters.errors import Unavailable
from domain.booking import Reason, Status
from domain.calendar import AppointmentStatus, LandingState
from domain.matching import Match, Verdict
from domain.rules import Confirmation
from domain.slot import Cause, Conflict, Slot
from tests.support.polling import wait_until
from tests.support.queued_writes import FREQUENT_CHECKS
from tests.support.workflow_handles import (
    APPROVE,
    SECOND,
    BookingHandle,
    cancel,
    resolve,
    wait_for_confirmed,
    wait_for_exception,
)
from tests.support.workflow_harness import WorkflowHarness, one_hour_from, wait_despite_cancellation
from tests.support.workflow_history import wait_until_cancel_requested
from workflows.booking.contracts import Resolution, ResolutionKind
from workflows.booking.workflow import BookingWorkflow


def slot_after(harness: WorkflowHarness, delay: timedelta) -> Slot:
    return harness.slot.model_copy(update={"time": one_hour_from(harness.slot.time.start + delay)})


def held_result(harness: WorkflowHarness, **changes: Any) -> HoldResult:
    return HoldResult(appointment=harness.appointment(status=AppointmentStatus.TENTATIVE, **changes))


async def start_moving(harness: WorkflowHarness) -> BookingHandle:
    """A landed hold, and a new one at another time that a person picked. The new one has not landed."""
    first, later = harness.slot, slot_after(harness, timedelta(days=9))
    harness.responses["write_hold"] = lambda _: held_result(harness, **dict(first))
    handle = await harness.start_booking(confirmation=Confirmation.STAFF, landing=FREQUENT_CHECKS)
    await wait_for_exception(handle, Reason.APPROVAL)
    unlanded = held_result(harness, id="12", landing=LandingState.ACCEPTED, **dict(later))
    harness.responses["recheck_slot"] = SlotCheck(slot=later)
    harness.responses["write_hold"] = unlanded
    harness.responses["settle_landing"] = unlanded
    harness.responses["release_everything"] = ReleaseResult(released_ids=("12",), queued=True)
    await resolve(handle, Resolution(kind=ResolutionKind.START, start=later.time.start))
    await wait_until(lambda: harness.calls_to("settle_landing"))
    return handle


async def test_cancelled_booking_keeps_no_superseded_hold(harness: WorkflowHarness) -> None:
    handle = await start_moving(harness)
    assert (await cancel(handle)).status is Status.CANCELLED
    await wait_until(lambda: len(harness.calls_to("remove_leftovers")) > 1)
    assert {call.appointment_id for call in harness.calls_to("remove_leftovers")} == {None}
    assert (await handle.query(BookingWorkflow.view)).appointment_id is None


async def test_cancelled_booking_releases_both_holds_by_id(harness: WorkflowHarness) -> None:
    """By id they are found wherever the desk has moved them."""
    handle = await start_moving(harness)
    await cancel(handle)
    await wait_until(lambda: harness.calls_to("remove_leftovers"))
    assert [call.appointment_id for call in harness.calls_to("release_everything")] == ["12", "11"]


async def test_earlier_hold_expires_after_the_office_refuses_the_new_one(harness: WorkflowHarness) -> None:
    """No release succeeds until the office has refused the new hold."""
    first, later = harness.slot, slot_after(harness, timedelta(days=9))
    harness.responses["match_patient"] = Match(
        verdict=Verdict.ASK, candidates=("7", "8"), reason=Reason.PATIENT_AMBIGUOUS
    )
    harness.responses["write_hold"] = lambda _: held_result(harness, **dict(first))
    harness.responses["release_everything"] = Unavailable("unavailable")
    handle = await harness.start_booking(landing=FREQUENT_CHECKS, placeholder_patient="99", hold_expiry=SECOND)
    await wait_for_exception(handle, Reason.PATIENT_AMBIGUOUS)
    harness.responses["recheck_slot"] = SlotCheck(slot=later)
    harness.responses["write_hold"] = held_result(harness, id="12", landing=LandingState.ACCEPTED, **dict(later))
    harness.responses["settle_landing"] = held_result(harness, id="12", landing=LandingState.REFUSED, **dict(later))
    harness.responses["find_alternatives"] = SlotCheck()
    await resolve(handle, Resolution(kind=ResolutionKind.START, start=later.time.start))
    assert (await wait_for_exception(handle, Reason.REFUSED_BY_OFFICE)).appointment_id == "11"
    harness.responses["release_everything"] = ReleaseResult()
    await wait_for_exception(handle, Reason.HOLD_EXPIRED)


async def test_desk_confirming_the_earlier_hold_opens_an_exception(harness: WorkflowHarness) -> None:
    """The practice system refuses the new time because it overlaps our earlier hold."""
    first = harness.slot
    later = slot_after(harness, timedelta(minutes=30))
    harness.responses["write_hold"] = lambda _: held_result(harness, **dict(first))
    handle = await harness.start_booking(confirmation=Confirmation.STAFF)
    await wait_for_exception(handle, Reason.APPROVAL)
    harness.responses["recheck_slot"] = SlotCheck(slot=later)
    harness.responses["write_hold"] = HoldResult(conflicts=(Conflict(cause=Cause.APPOINTMENT, time=later.time),))
    harness.responses["release_everything"] = lambda request: ReleaseResult(
        remaining=(harness.appointment(reference=request.reference, **dict(first)),)
    )
    await resolve(handle, Resolution(kind=ResolutionKind.START, start=later.time.start))
    await wait_for_exception(handle, Reason.HOLD_CHANGED)
    assert "confirmed" not in harness.patient_messages()


async def test_hold_approved_while_it_expires_is_written_again_at_its_own_time(harness: WorkflowHarness) -> None:
    """A person picks another time, which is not free, and then approves the hold while its release is running."""
    first, later = harness.slot, slot_after(harness, timedelta(days=9))
    conflicts = (Conflict(cause=Cause.APPOINTMENT),)
    release_may_finish = asyncio.Event()

    async def release_slowly(_: Any) -> ReleaseResult:
        await wait_despite_cancellation(release_may_finish)
        return ReleaseResult(released_ids=("11",))

    harness.responses["write_hold"] = held_result(harness).model_copy(update={"conflicts": conflicts})
    harness.responses["release_everything"] = release_slowly
    handle = await harness.start_booking(hold_expiry=timedelta(seconds=5))
    await wait_for_exception(handle, Reason.HOLD_CHANGED)
    harness.responses["recheck_slot"] = SlotCheck(conflicts=conflicts)
    await resolve(handle, Resolution(kind=ResolutionKind.START, start=later.time.start))
    await wait_for_exception(handle, Reason.SLOT_TAKEN)
    await wait_until(lambda: harness.calls_to("release_everything"))
    harness.responses["recheck_slot"] = SlotCheck(slot=first)
    harness.responses["write_hold"] = lambda request: HoldResult(
        appointment=harness.appointment(), confirmed=request.confirm
    )
    harness.responses["confirm_hold"] = ConfirmHoldResult()
    resolving = asyncio.create_task(resolve(handle, APPROVE))
    await wait_until_cancel_requested(handle, "release_everything")
    release_may_finish.set()
    await resolving
    await wait_for_confirmed(handle)
    assert harness.calls_to("recheck_slot")[-1].start == first.time.start


async def test_answer_says_that_the_booking_moves_while_the_new_time_is_not_secured(harness: WorkflowHarness) -> None:
    first, later = harness.slot, slot_after(harness, timedelta(days=9))
    harness.responses["write_hold"] = lambda _: held_result(harness, **dict(first))
    handle = await harness.start_booking(confirmation=Confirmation.STAFF)
    await wait_for_exception(handle, Reason.APPROVAL)
    may_write = asyncio.Event()

    async def write_late(_: Any) -> HoldResult:
        await may_write.wait()
        return HoldResult(appointment=harness.appointment(id="12", **dict(later)), confirmed=True)

    harness.responses["recheck_slot"] = SlotCheck(slot=later)
    harness.responses["write_hold"] = write_late
    choice = Resolution(kind=ResolutionKind.START, start=later.time.start)
    answer = await handle.execute_update(BookingWorkflow.resolve_exception, choice)
    assert (answer.start, answer.moving_to) == (first.time.start, later.time.start)
    may_write.set()
    moved = await wait_for_confirmed(handle)
    assert (moved.start, moved.moving_to) == (later.time.start, None)
