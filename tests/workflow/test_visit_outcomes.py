"""A confirmed visit is followed until its outcome is recorded."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.hold_contracts import ConfirmHoldResult, HoldResult
from adapters.errors import Refused
from client import DeskClient, NotPossible
from domain.booking import Reason, Status
from domain.calendar import Appointment, AppointmentStatus, EventKind, LandingState
from tests.support.polling import wait_until
from tests.support.queued_writes import FREQUENT_CHECKS, unlanded_appointment
from tests.support.workflow_handles import (
    APPROVE,
    RETRY,
    SECOND,
    resolve,
    wait_for_confirmed,
    wait_for_exception,
    wait_for_view,
)
from tests.support.workflow_harness import WorkflowHarness
from tests.support.workflow_history import wait_until_idle
from workflows.booking.contracts import AppointmentEvent, RequestedTime, SignalName
from workflows.booking.workflow import BookingWorkflow
from workflows.shared.search_attributes import APPOINTMENT_START, EXCEPTION_REASON

OUTCOME_DUE = timedelta(hours=12)
"""The outcome is read this long after the visit's end."""


def use_past_visit(harness: WorkflowHarness) -> asyncio.Event:
    """The visit ended so long ago that its outcome is due. The practice system reports it once the event is set."""
    end = datetime.now(UTC) - OUTCOME_DUE
    harness.move_slot(end - timedelta(hours=1))
    is_known, respond = asyncio.Event(), harness.responses["read_appointment"]

    async def read_when_known(request: Any) -> Any:
        await is_known.wait()
        return respond(request)

    harness.responses["read_appointment"] = read_when_known
    return is_known


async def test_unreadable_outcome_opens_an_exception(harness: WorkflowHarness) -> None:
    use_past_visit(harness).set()
    read_appointment, harness.responses["read_appointment"] = (
        harness.responses["read_appointment"],
        Refused("no"),
    )
    handle = await harness.start_booking()
    view = await wait_for_exception(handle, Reason.REFUSED_BY_SYSTEM)
    assert (view.status, view.resolutions) == (Status.CONFIRMED, ("approve", "retry"))
    harness.responses["read_appointment"] = read_appointment
    await resolve(handle, RETRY)
    assert (await handle.result()).status is Status.COMPLETED


async def test_visit_moved_by_the_desk_is_followed_to_its_new_end(harness: WorkflowHarness) -> None:
    use_past_visit(harness)
    is_missed = asyncio.Event()

    async def read_moved(_: Any) -> Any:
        if len(harness.calls_to("read_appointment")) > 1:
            await is_missed.wait()
            return harness.appointment(status=AppointmentStatus.NO_SHOW)
        end = datetime.now(UTC) - OUTCOME_DUE + 5 * SECOND
        harness.move_slot(end - timedelta(hours=1))
        return harness.appointment()

    harness.responses["read_appointment"] = read_moved
    handle = await harness.start_booking()
    await wait_until(lambda: harness.calls_to("read_appointment"))
    view = await wait_for_view(handle, lambda view: view.start == harness.slot.time.start)
    assert view.status is Status.CONFIRMED
    assert (await handle.describe()).typed_search_attributes.get(APPOINTMENT_START) is not None
    is_missed.set()
    assert (await handle.result()).status is Status.NO_SHOW


async def test_exception_about_an_unreached_patient_closes_with_the_visit(harness: WorkflowHarness) -> None:
    outcome_known = use_past_visit(harness)
    harness.responses["notify"] = Refused("no")
    handle = await harness.start_booking()
    await wait_for_exception(handle, Reason.NOT_REACHED)
    outcome_known.set()
    final_view = await handle.result()
    assert (final_view.status, final_view.reason, final_view.resolutions) == (Status.COMPLETED, None, ())
    assert (await handle.describe()).typed_search_attributes.get(EXCEPTION_REASON) is None


async def test_visit_that_has_begun_cannot_be_cancelled_online(harness: WorkflowHarness, bookings: DeskClient) -> None:
    outcome_known = use_past_visit(harness)
    handle = await harness.start_booking()
    view = await wait_for_confirmed(handle)
    with pytest.raises(NotPossible, match="has begun"):
        await bookings.cancel(view.request_id)
    outcome_known.set()
    assert (await handle.result()).status is Status.COMPLETED
    assert harness.calls_to("release_everything") == []


async def test_patient_cannot_reschedule_a_confirmed_visit_that_the_office_refused(
    harness: WorkflowHarness, bookings: DeskClient
) -> None:
    """A person vouched for the landing, and then the office reports a refusal."""
    unlanded = unlanded_appointment(harness)
    unclear = unlanded.model_copy(update={"landing": LandingState.INCOMPLETE})
    harness.responses |= {"write_hold": HoldResult(appointment=unlanded), "read_appointment": unlanded}
    harness.responses["settle_landing"] = HoldResult(appointment=unclear)
    handle = await harness.start_booking(landing=FREQUENT_CHECKS)
    await wait_for_exception(handle, Reason.LANDING_UNCLEAR)
    await resolve(handle, APPROVE)
    await wait_for_confirmed(handle)
    refusal = AppointmentEvent(kind=EventKind.LANDING, appointment_id="11", landing=LandingState.REFUSED)
    await handle.signal(SignalName.SCHEDULE_CHANGED, refusal)
    view = await wait_for_exception(handle, Reason.REFUSED_BY_OFFICE)
    with pytest.raises(NotPossible, match="the booking is confirmed"):
        await bookings.reschedule(view.request_id, RequestedTime(start=harness.slot.time.start + timedelta(hours=2)))
    assert (await wait_for_exception(handle, Reason.REFUSED_BY_OFFICE)).status is Status.CONFIRMED


async def test_repeated_confirmation_does_not_forget_that_the_desk_moved_the_visit(harness: WorkflowHarness) -> None:
    """The move is read while the confirmation is under way, and the confirmation then returns no appointment."""
    harness.move_slot(datetime.now(UTC) - OUTCOME_DUE - timedelta(hours=1) + 10 * SECOND)
    visit, may_answer = harness.appointment(), asyncio.Event()
    moved_start = visit.time.start + timedelta(days=5)

    async def confirm(_: Any) -> ConfirmHoldResult:
        await may_answer.wait()
        return ConfirmHoldResult(office_offline=True)

    def read(_: Any) -> Appointment:
        if not harness.calls_to("confirm_hold"):
            return visit.model_copy(update={"status": AppointmentStatus.TENTATIVE})
        harness.move_slot(moved_start)
        return harness.appointment()

    harness.responses |= {"confirm_hold": confirm, "read_appointment": read}
    handle = await harness.start_booking()
    await wait_for_confirmed(handle)
    change_failed = AppointmentEvent(kind=EventKind.CHANGE_FAILED, appointment_id=visit.id)
    await handle.signal(SignalName.SCHEDULE_CHANGED, change_failed)
    await wait_for_view(handle, lambda view: view.start == moved_start)
    may_answer.set()
    await wait_until_idle(handle)
    assert (await handle.query(BookingWorkflow.view)).start == moved_start
