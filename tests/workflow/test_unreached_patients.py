"""The desk calls a patient who has not heard how the booking ended."""

import asyncio
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowUpdateRPCTimeoutOrCancelledError

from activities.slots import SlotCheck
from domain.booking import Reason, Status
from domain.rules import Confirmation
from domain.slot import Cause, Conflict
from tests.support.workflow_handles import APPROVE, DECLINE, SECOND, BookingHandle, cancel, resolve, wait_for_exception
from tests.support.workflow_harness import WorkflowHarness
from tests.support.workflow_history import wait_for_event
from workflows.booking.contracts import ANSWER_GRACE, ANSWER_TIMEOUT, WaitOptions
from workflows.booking.workflow import BookingWorkflow


async def check_desk_is_asked_to_call(handle: BookingHandle, status: Status, reason: Reason) -> None:
    """The booking has ended, and the desk acknowledges that it must call."""
    view = await wait_for_exception(handle, Reason.NOT_REACHED)
    assert (view.status, view.resolutions) == (status, ("approve",))
    await resolve(handle, APPROVE)
    final_view = await handle.result()
    assert (final_view.status, final_view.reason) == (status, reason)


async def test_desk_calls_a_patient_without_consent_when_the_request_expires(harness: WorkflowHarness) -> None:
    harness.schedule_visit_in(4)
    handle = await harness.start_booking(confirmation=Confirmation.STAFF, consent=False)
    await check_desk_is_asked_to_call(handle, Status.DECLINED, Reason.EXPIRED)
    assert harness.patient_messages() == []
    assert {"desk_exception", "desk_expired"} <= set(harness.desk_messages())


@pytest.mark.parametrize("state", ["opted_out", "uncertain"])
async def test_desk_calls_a_patient_whom_no_message_certainly_reached(harness: WorkflowHarness, state: str) -> None:
    accept = harness.responses["notify"]
    harness.responses["notify"] = lambda request: accept(request).model_copy(update={"state": state})
    handle = await harness.start_booking(confirmation=Confirmation.STAFF)
    await wait_for_exception(handle, Reason.APPROVAL)
    await resolve(handle, DECLINE)
    await check_desk_is_asked_to_call(handle, Status.DECLINED, Reason.DECLINED_BY_STAFF)


async def test_desk_does_not_call_a_patient_who_cancelled(harness: WorkflowHarness) -> None:
    handle = await harness.start_booking(confirmation=Confirmation.STAFF, consent=False)
    await wait_for_exception(handle, Reason.APPROVAL)
    await cancel(handle)
    assert (await handle.result()).status is Status.CANCELLED
    assert harness.desk_messages().count("desk_exception") == 1


async def test_desk_does_not_call_a_patient_who_was_answered_with_the_decline(harness: WorkflowHarness) -> None:
    may_finish = asyncio.Event()

    async def recheck_outside_hours(_: Any) -> SlotCheck:
        await may_finish.wait()
        return SlotCheck(conflicts=(Conflict(cause=Cause.HOURS),))

    harness.responses["recheck_slot"] = recheck_outside_hours
    handle = await harness.start_booking(consent=False)
    options = WaitOptions(timeout=20 * SECOND)
    waiting_caller = asyncio.create_task(handle.execute_update(BookingWorkflow.wait_until_decided, options))
    await wait_for_event(handle, EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED)
    may_finish.set()
    assert (await waiting_caller).view.status is Status.DECLINED
    final_view = await handle.result()
    assert (final_view.reason, harness.desk_messages()) == (Reason.OUTSIDE_RULES, [])


async def test_decline_after_the_caller_stopped_waiting_does_not_count_as_heard(client: Client) -> None:
    """No worker runs while the caller waits. The caller is told only that the request was received."""
    harness = WorkflowHarness(client)
    harness.responses["recheck_slot"] = SlotCheck(conflicts=(Conflict(cause=Cause.RULE),))
    handle = await harness.start_booking(consent=False)
    with pytest.raises(WorkflowUpdateRPCTimeoutOrCancelledError):
        await handle.execute_update(BookingWorkflow.wait_for_decision, rpc_timeout=SECOND)
    await asyncio.sleep((ANSWER_TIMEOUT + ANSWER_GRACE).total_seconds())
    async with harness.running_workers():
        assert (await wait_for_exception(handle, Reason.NOT_REACHED)).status is Status.DECLINED
        await resolve(handle, APPROVE)
        await handle.result()
    await harness.terminate_and_replay()
