"""Queued writes: what must not stand is removed, and a person hears of what cannot be."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from activities.hold_contracts import ConfirmHoldResult, HoldResult
from activities.release import ReleaseResult
from adapters.errors import OutcomeUnknown, Refused
from domain.booking import Reason, Status
from domain.calendar import AppointmentStatus, EventKind, LandingState
from domain.policy import LandingPolicy
from domain.rules import Confirmation
from tests.support.polling import wait_until
from tests.support.queued_writes import (
    FREQUENT_CHECKS,
    RARE_CHECKS,
    signal_event,
    start_queued,
    unlanded_appointment,
    use_queued_writes,
)
from tests.support.workflow_handles import (
    APPROVE,
    DECLINE,
    RETRY,
    BookingHandle,
    resolve,
    wait_for_confirmed,
    wait_for_exception,
)
from tests.support.workflow_harness import WorkflowHarness
from workflows.booking.contracts import Resolution, ResolutionKind
from workflows.booking.workflow import BookingWorkflow


@pytest.fixture
def harness(harness: WorkflowHarness) -> WorkflowHarness:
    """At a practice with queued writes."""
    use_queued_writes(harness)
    return harness


async def test_appointment_that_a_person_keeps_is_left_alone_and_not_asked_about_again(
    harness: WorkflowHarness,
) -> None:
    desk_appointment = harness.appointment(status=AppointmentStatus.TENTATIVE)
    harness.responses["release_everything"] = ReleaseResult(remaining=(desk_appointment,))
    handle = await start_queued(harness)
    await wait_for_exception(handle, Reason.APPROVAL)
    await harness.wait_for_desk_messages("desk_exception")
    await resolve(handle, DECLINE)
    await wait_for_exception(handle, Reason.HOLD_CHANGED)
    await resolve(handle, APPROVE)
    await wait_until(lambda: len(harness.calls_to("remove_leftovers")) > 1)
    assert {(call.keep_ids, call.released_before) for call in harness.calls_to("remove_leftovers")} == {(("11",), ())}
    await harness.wait_for_desk_messages("desk_exception", "desk_exception")


async def test_hold_that_somebody_removed_is_looked_for_before_the_next_write(harness: WorkflowHarness) -> None:
    confirm_hold, harness.responses["confirm_hold"] = harness.responses["confirm_hold"], ConfirmHoldResult()
    harness.responses["write_hold"] = lambda _: HoldResult(appointment=harness.appointment())
    handle = await start_queued(harness)
    await wait_for_exception(handle, Reason.APPROVAL)
    await resolve(handle, APPROVE)
    await wait_for_exception(handle, Reason.HOLD_CHANGED)
    harness.responses["confirm_hold"] = confirm_hold
    await resolve(handle, RETRY)
    await wait_for_confirmed(handle)
    assert [(call.look_first, call.excluded_ids) for call in harness.calls_to("write_hold")] == [
        (False, ()),
        (True, ()),
    ]


async def start_moved(harness: WorkflowHarness, landing: LandingPolicy = RARE_CHECKS, **policy: Any) -> BookingHandle:
    """Confirmed at a second time. Hold 11 at the first time was released through the queue, 12 stands."""
    harness.responses["settle_landing"] = lambda request: HoldResult(
        appointment=harness.appointment(id=request.appointment_id), confirmed=request.confirm
    )
    handle = await start_queued(harness, landing, **policy)
    await signal_event(handle, EventKind.LANDING, landing=LandingState.LANDED)
    await wait_for_exception(handle, Reason.APPROVAL)
    await harness.wait_for_desk_messages("desk_exception")
    harness.move_slot(harness.slot.time.start + timedelta(hours=2))
    harness.responses["write_hold"] = lambda _: HoldResult(appointment=unlanded_appointment(harness, id="12"))
    await signal_event(handle, EventKind.LANDING, "12", LandingState.LANDED)
    await resolve(handle, Resolution(kind=ResolutionKind.START, start=harness.slot.time.start))
    await wait_for_confirmed(handle)
    return handle


async def test_refused_release_of_a_superseded_hold_is_repeated_once_before_a_person_is_asked(
    harness: WorkflowHarness,
) -> None:
    harness.responses["remove_leftovers"] = ReleaseResult(released_ids=("11",), queued=True)
    handle = await start_moved(harness)
    await signal_event(handle, EventKind.CHANGE_FAILED)
    await wait_until(lambda: harness.calls_to("remove_leftovers"))
    assert [(call.appointment_id, call.released_before) for call in harness.calls_to("remove_leftovers")] == [
        ("12", ("11",))
    ]
    await asyncio.sleep(0.5)
    assert harness.desk_messages() == ["desk_exception"], "only the approval went to the desk"
    harness.responses["remove_leftovers"] = ReleaseResult(remaining=(harness.appointment(),))
    await signal_event(handle, EventKind.CHANGE_FAILED)
    view = await wait_for_exception(handle, Reason.REFUSED_BY_SYSTEM)
    assert view.status is Status.CONFIRMED
    await resolve(handle, RETRY)
    await wait_for_exception(handle, Reason.HOLD_CHANGED)
    harness.responses["remove_leftovers"] = ReleaseResult()
    await resolve(handle, APPROVE)
    await signal_event(handle, EventKind.CHANGE_FAILED)
    await wait_until(lambda: len(harness.calls_to("remove_leftovers")) == 4)
    inputs = [(call.released_twice, call.keep_ids) for call in harness.calls_to("remove_leftovers")]
    assert inputs == [((), ()), (("11",), ()), ((), ()), ((), ("11",))]


async def test_leftover_checks_without_events_become_less_frequent(harness: WorkflowHarness) -> None:
    await start_moved(harness, FREQUENT_CHECKS)
    await asyncio.sleep(4)
    assert len(harness.calls_to("remove_leftovers")) <= 5
    await wait_until(lambda: len(harness.calls_to("remove_leftovers")) >= 2)


async def test_cancelled_booking_watches_for_leftovers_until_the_visit_start(harness: WorkflowHarness) -> None:
    """The outcome of the write is unknown. Only its release shows that writes are queued."""
    harness.responses["write_hold"] = OutcomeUnknown("answer lost")
    harness.responses["release_everything"] = ReleaseResult(released_ids=("11",), queued=True)
    handle = await start_queued(harness, RARE_CHECKS)
    await wait_until(lambda: harness.calls_to("write_hold"))
    await handle.execute_update(BookingWorkflow.cancel)
    await wait_until(lambda: harness.calls_to("remove_leftovers"))
    await asyncio.sleep(0.5)
    await signal_event(handle, EventKind.CHANGE_FAILED)
    await wait_until(lambda: len(harness.calls_to("remove_leftovers")) == 2)
    assert (await handle.describe()).close_time is None


async def test_refusal_during_a_release_is_followed_by_cleanup_at_once(harness: WorkflowHarness) -> None:
    may_finish = asyncio.Event()

    async def release_slowly(_: Any) -> Any:
        await may_finish.wait()
        return ReleaseResult(released_ids=("11",), queued=True)

    harness.responses["release_everything"] = release_slowly
    handle = await start_queued(harness, RARE_CHECKS)
    await wait_until(lambda: harness.calls_to("write_hold"))
    await handle.execute_update(BookingWorkflow.cancel)
    await wait_until(lambda: harness.calls_to("release_everything"))
    await signal_event(handle, EventKind.CHANGE_FAILED)
    may_finish.set()
    await wait_until(lambda: harness.calls_to("remove_leftovers"))


async def test_refused_confirmation_is_repeated_once_before_a_person_is_asked(harness: WorkflowHarness) -> None:
    harness.responses["read_appointment"] = lambda _: harness.appointment(status=AppointmentStatus.TENTATIVE)
    handle = await start_queued(harness, confirmation=Confirmation.AUTOMATIC)
    await wait_for_confirmed(handle)
    await signal_event(handle, EventKind.CHANGE_FAILED)
    await wait_until(lambda: harness.calls_to("confirm_hold"))
    await asyncio.sleep(0.5)
    assert len(harness.calls_to("confirm_hold")) == 1
    await signal_event(handle, EventKind.CHANGE_FAILED)
    await wait_for_exception(handle, Reason.REFUSED_BY_SYSTEM)
    await resolve(handle, RETRY)
    await wait_until(lambda: len(harness.calls_to("confirm_hold")) == 2)


async def test_cleanup_does_not_cover_a_write_that_began_after_it(harness: WorkflowHarness) -> None:
    harness.responses["settle_landing"] = Refused("no")
    may_finish = asyncio.Event()

    async def remove_slowly(_: Any) -> Any:
        await may_finish.wait()
        return ReleaseResult()

    harness.responses["remove_leftovers"] = remove_slowly
    landing = LandingPolicy(check_after=(timedelta(seconds=0.3), timedelta(minutes=30)))
    handle = await start_queued(harness, landing, late_commit=timedelta(seconds=0.1))
    await wait_for_exception(handle, Reason.REFUSED_BY_SYSTEM)
    await wait_until(lambda: harness.calls_to("remove_leftovers"))
    await signal_event(handle, EventKind.LANDING, landing=LandingState.LANDED)
    await wait_until(lambda: len(harness.calls_to("settle_landing")) == 2)
    assert len(harness.calls_to("remove_leftovers")) == 1
    may_finish.set()
    await wait_until(lambda: len(harness.calls_to("remove_leftovers")) == 2)
