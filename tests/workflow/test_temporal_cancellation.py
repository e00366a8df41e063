"""An operator cancels the workflow in Temporal, instead of the booking."""

import asyncio
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError

from adapters.errors import OutcomeUnknown, Refused, Unavailable
from domain.booking import Reason, Status
from domain.rules import Confirmation
from tests.support.polling import wait_until
from tests.support.workflow_handles import APPROVE, DECLINE, resolve, wait_for_exception
from tests.support.workflow_harness import WorkflowHarness, wait_despite_cancellation
from tests.support.workflow_history import wait_until_cancel_requested
from workflows.booking.workflow import BookingWorkflow


@pytest.mark.parametrize(
    ("activity", "released_by"), [("write_hold", "release_everything"), ("recheck_slot", "release_claim")]
)
async def test_workflow_cancellation_releases_what_may_have_been_written(
    harness: WorkflowHarness, activity: str, released_by: str
) -> None:
    harness.responses[activity] = OutcomeUnknown("answer lost")
    handle = await harness.start_booking()
    await wait_until(lambda: harness.calls_to(activity))
    await handle.cancel()
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    assert (await handle.describe()).status is WorkflowExecutionStatus.CANCELED
    assert harness.calls_to(released_by)
    assert (await handle.query(BookingWorkflow.view)).status is Status.CANCELLED


async def test_workflow_cancellation_takes_effect_although_the_running_write_completes(
    harness: WorkflowHarness,
) -> None:
    write, may_finish = harness.responses["write_hold"], asyncio.Event()

    async def write_despite_cancellation(request: Any) -> Any:
        await wait_despite_cancellation(may_finish)
        return write(request)

    harness.responses["write_hold"] = write_despite_cancellation
    handle = await harness.start_booking()
    await wait_until(lambda: harness.calls_to("write_hold"))
    await handle.cancel()
    await wait_until_cancel_requested(handle, "write_hold")
    may_finish.set()
    with pytest.raises(WorkflowFailureError):
        await asyncio.wait_for(handle.result(), 30)
    assert harness.calls_to("release_everything")
    assert harness.patient_messages() == ["cancelled"]


async def test_workflow_cancellation_during_the_last_message_still_asks_the_desk_to_call(
    harness: WorkflowHarness,
) -> None:
    harness.responses["notify"] = Unavailable("unavailable")
    handle = await harness.start_booking(confirmation=Confirmation.STAFF)
    await wait_for_exception(handle, Reason.APPROVAL)
    await resolve(handle, DECLINE)
    await wait_until(lambda: "declined" in harness.patient_messages())
    await handle.cancel()
    harness.responses["notify"] = Refused("no")
    assert (await wait_for_exception(handle, Reason.NOT_REACHED)).status is Status.DECLINED
    await resolve(handle, APPROVE)
    with pytest.raises(WorkflowFailureError):
        await handle.result()
