"""Exceptions that the desk resolves, and what follows from each resolution."""

import asyncio
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.hold_contracts import HoldResult
from activities.release import ReleaseResult
from activities.slots import SlotCheck
from adapters.errors import NotAuthorized, Refused
from adapters.ledger import LedgerUnavailable
from domain.booking import Reason, Status
from domain.calendar import AppointmentStatus, EventKind
from domain.matching import Match, Verdict
from domain.slot import Cause, Conflict
from tests.support.polling import wait_until
from tests.support.workflow_handles import (
    APPROVE,
    DECLINE,
    RETRY,
    SECOND,
    resolve,
    wait_for_confirmed,
    wait_for_exception,
    wait_for_view,
)
from tests.support.workflow_harness import WorkflowHarness, wait_despite_cancellation
from workflows.booking.contracts import AppointmentEvent, RequestedTime, Resolution, ResolutionKind, SignalName
from workflows.booking.workflow import BookingWorkflow


@pytest.mark.parametrize("resolution", [RETRY, APPROVE])
async def test_note_counts_as_read_only_if_its_exception_was_approved(
    harness: WorkflowHarness, resolution: Resolution
) -> None:
    recheck_slot, harness.responses["recheck_slot"] = harness.responses["recheck_slot"], Refused("no")
    handle = await harness.start_booking(note="I take blood thinners")
    await wait_for_exception(handle, Reason.REFUSED_BY_SYSTEM)
    harness.responses["recheck_slot"] = recheck_slot
    await resolve(handle, RETRY)
    await wait_for_exception(handle, Reason.SPECIAL_REQUEST)
    view = await resolve(handle, resolution)
    if resolution is APPROVE:
        await wait_for_confirmed(handle)
    else:
        assert (await wait_for_exception(handle, Reason.SPECIAL_REQUEST)).request_id == view.request_id


async def test_resolved_exception_is_not_shown_while_the_booking_continues(harness: WorkflowHarness) -> None:
    recheck_slot, harness.responses["recheck_slot"] = harness.responses["recheck_slot"], Refused("no")
    handle = await harness.start_booking()
    await wait_for_exception(handle, Reason.REFUSED_BY_SYSTEM)
    may_continue = asyncio.Event()

    async def recheck_slowly(request: Any) -> Any:
        await may_continue.wait()
        return recheck_slot(request)

    harness.responses["recheck_slot"] = recheck_slowly
    view = await handle.execute_update(BookingWorkflow.resolve_exception, RETRY)
    assert (view.status, view.reason, view.resolutions) == (Status.RECEIVED, None, ())
    may_continue.set()
    await wait_for_confirmed(handle)


async def test_recheck_knows_who_requested_the_time_and_when(harness: WorkflowHarness) -> None:
    recheck_slot = harness.responses["recheck_slot"]
    slot_taken = SlotCheck(conflicts=(Conflict(cause=Cause.APPOINTMENT),), alternatives=(harness.slot,))
    harness.responses["recheck_slot"] = slot_taken
    handle = await harness.start_booking()
    await wait_for_exception(handle, Reason.SLOT_TAKEN)
    await resolve(handle, RETRY)
    await wait_for_exception(handle, Reason.SLOT_TAKEN)
    harness.responses["recheck_slot"] = recheck_slot
    await handle.execute_update(BookingWorkflow.reschedule, RequestedTime(start=harness.slot.time.start))
    await wait_for_confirmed(handle)
    started_at = (await handle.describe()).start_time
    first, by_staff, by_patient = harness.calls_to("recheck_slot")
    assert (first.asked_at, first.staff_override) == (started_at, False)
    assert (by_staff.asked_at, by_staff.staff_override) == (started_at, True)
    assert (by_patient.asked_at > started_at, by_patient.staff_override) == (True, False)


async def test_hold_that_never_becomes_visible_opens_an_exception_at_once(harness: WorkflowHarness) -> None:
    never_visible = ApplicationError("the hold is not visible", type="HoldNeverVisible", non_retryable=True)
    harness.responses["write_hold"] = never_visible
    handle = await harness.start_booking()
    await wait_for_exception(handle, Reason.NOT_LANDED)
    assert len(harness.calls_to("write_hold")) == 1
    await resolve(handle, RETRY)
    await wait_until(lambda: len(harness.calls_to("write_hold")) == 2)
    assert harness.calls_to("write_hold")[1].look_first
    await wait_for_exception(handle, Reason.NOT_LANDED)
    await resolve(handle, DECLINE)
    assert (await handle.result()).status is Status.DECLINED


async def test_hold_that_the_desk_removed_at_once_opens_an_exception(harness: WorkflowHarness) -> None:
    harness.responses["write_hold"] = HoldResult(may_commit_late=True)
    handle = await harness.start_booking()
    await wait_for_exception(handle, Reason.HOLD_CHANGED)
    assert len(harness.calls_to("write_hold")) == 1
    await resolve(handle, RETRY)
    await wait_for_exception(handle, Reason.HOLD_CHANGED)
    assert [call.look_first for call in harness.calls_to("write_hold")] == [False, True]
    await resolve(handle, DECLINE)
    assert (await handle.result()).status is Status.DECLINED


async def test_desk_hears_at_once_of_an_exception_that_waits_behind_another(harness: WorkflowHarness) -> None:
    handle = await harness.start_booking(consent=False)
    await wait_for_exception(handle, Reason.NOT_REACHED)
    harness.responses["read_appointment"] = lambda _: harness.appointment(status=AppointmentStatus.TENTATIVE)
    harness.responses["confirm_hold"] = Refused("no")
    change_failed = AppointmentEvent(kind=EventKind.CHANGE_FAILED, appointment_id="11")
    await handle.signal(SignalName.SCHEDULE_CHANGED, change_failed)
    await wait_until(lambda: Reason.REFUSED_BY_SYSTEM in [call.reason for call in harness.calls_to("route_exception")])
    await resolve(handle, APPROVE)
    await wait_for_exception(handle, Reason.REFUSED_BY_SYSTEM)


async def test_notice_of_a_waiting_exception_and_escalations_do_not_delay_each_other(harness: WorkflowHarness) -> None:
    accept, may_finish = harness.responses["route_exception"], asyncio.Event()

    async def route(request: Any) -> Any:
        if request.reason is Reason.REFUSED_BY_SYSTEM:
            await wait_despite_cancellation(may_finish)
        return accept(request)

    harness.responses["route_exception"] = route
    handle = await harness.start_booking(consent=False, staff_deadline=5 * SECOND)
    await wait_for_exception(handle, Reason.NOT_REACHED)
    harness.responses["read_appointment"] = lambda _: harness.appointment(status=AppointmentStatus.TENTATIVE)
    harness.responses["confirm_hold"] = Refused("no")
    change_failed = AppointmentEvent(kind=EventKind.CHANGE_FAILED, appointment_id="11")
    try:
        await handle.signal(SignalName.SCHEDULE_CHANGED, change_failed)
        await wait_until(
            lambda: Reason.REFUSED_BY_SYSTEM in [call.reason for call in harness.calls_to("route_exception")]
        )
        await wait_until(lambda: "desk_escalation" in harness.desk_messages()[1:])
    finally:
        may_finish.set()


async def test_desk_reads_why_the_practice_system_refused(harness: WorkflowHarness) -> None:
    harness.responses["write_hold"] = Refused(
        "this practice system makes no chart without an email", code="email_missing"
    )
    handle = await harness.start_booking()
    view = await wait_for_exception(handle, Reason.REFUSED_BY_SYSTEM)
    assert (view.detail or "").endswith("It said: this practice system makes no chart without an email.")
    await resolve(handle, DECLINE)
    assert (await handle.result()).detail == "The office declined the request."


async def test_refused_credentials_are_not_blamed_on_the_chart(harness: WorkflowHarness) -> None:
    write_hold = harness.responses["write_hold"]
    harness.responses["write_hold"] = NotAuthorized("POST /v1/appointments: 401", code="401")
    handle = await harness.start_booking()
    view = await wait_for_exception(handle, Reason.NOT_AUTHORIZED)
    assert view.resolutions == ("decline", "start", "retry")
    assert view.detail == (
        "The practice system no longer accepts our credentials. Nothing is lost. Tell whoever runs Holdfast, and retry "
        "when it is mended."
    )
    harness.responses["write_hold"] = write_hold
    await resolve(handle, RETRY)
    await wait_for_confirmed(handle)


async def test_refused_credentials_after_the_confirmation_can_be_retried_or_seen(harness: WorkflowHarness) -> None:
    harness.responses["write_hold"] = lambda _: HoldResult(
        appointment=harness.appointment(), confirmed=True, may_commit_late=True
    )
    harness.responses["remove_leftovers"] = NotAuthorized("GET /v1/appointments: 401", code="401")
    handle = await harness.start_booking()
    view = await wait_for_exception(handle, Reason.NOT_AUTHORIZED)
    assert (view.status, view.resolutions) == (Status.CONFIRMED, ("approve", "retry"))
    harness.responses["remove_leftovers"] = ReleaseResult()
    view = await resolve(handle, RETRY)
    assert (view.status, view.reason) == (Status.CONFIRMED, None)


async def test_patient_resolved_as_new_is_not_matched_again(harness: WorkflowHarness) -> None:
    harness.responses["match_patient"] = Match(
        verdict=Verdict.ASK, reason=Reason.PATIENT_AMBIGUOUS, candidates=("7", "8")
    )
    handle = await harness.start_booking()
    await wait_for_exception(handle, Reason.PATIENT_AMBIGUOUS)
    harness.responses["recheck_slot"] = SlotCheck(conflicts=(Conflict(cause=Cause.APPOINTMENT),))
    await resolve(handle, Resolution(kind=ResolutionKind.NEW_PATIENT))
    first_exception = await wait_for_exception(handle, Reason.SLOT_TAKEN)
    await resolve(handle, RETRY)
    await wait_for_view(
        handle,
        lambda view: view.reason is Reason.SLOT_TAKEN and view.exception_number != first_exception.exception_number,
    )
    assert len(harness.calls_to("match_patient")) == 1


async def _answer_too_late(_: Any) -> bool:
    await asyncio.sleep(3)
    return True


@pytest.mark.parametrize("answer", [LedgerUnavailable("locked"), KeyError("unforeseen"), _answer_too_late])
async def test_booking_goes_on_if_the_first_claim_gets_no_answer(harness: WorkflowHarness, answer: Any) -> None:
    harness.responses["claim_slot"] = answer
    handle = await harness.start_booking()
    await wait_for_confirmed(handle)


async def test_who_loses_the_first_claim_and_the_slot_is_not_looked_up(harness: WorkflowHarness) -> None:
    harness.responses["claim_slot"] = False
    recheck_slot = harness.responses["recheck_slot"]
    harness.responses["recheck_slot"] = SlotCheck(conflicts=(Conflict(cause=Cause.CLAIM, time=harness.slot.time),))
    handle = await harness.start_booking()
    await wait_for_exception(handle, Reason.SLOT_TAKEN)
    assert harness.calls_to("match_patient") == []
    harness.responses["recheck_slot"] = recheck_slot
    await resolve(handle, RETRY)
    await wait_for_confirmed(handle)
    assert len(harness.calls_to("match_patient")) == 1
