"""A query that reaches a worker before earlier events does not change what the booking does next."""

import asyncio
from datetime import timedelta

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.service import RPCError

from client import DeskClient, NotPossible
from domain.booking import BookingView, Reason, Status
from domain.rules import Confirmation
from tests.support.workflow_handles import DECLINE, BookingHandle, resolve, wait_for_exception
from tests.support.workflow_harness import WorkflowHarness
from tests.support.workflow_history import wait_for_event
from workflows.booking.workflow import BookingWorkflow

QUERY_TIMEOUT = timedelta(seconds=15)


@pytest.mark.parametrize("max_cached_workflows", [1000, 0])
@pytest.mark.parametrize("query_count", [1, 3])
@pytest.mark.parametrize("resolved", ["before_worker", "after_worker"])
async def test_query_that_waited_for_a_worker_does_not_advance_the_booking(
    client: Client, resolved: str, query_count: int, max_cached_workflows: int
) -> None:
    """While no worker runs, a timer fires and, with "before_worker", the desk resolves the exception.

    Of several queries the SDK's core drops some when it evicts the workflow. Their callers get an RPCError.
    """
    harness = WorkflowHarness(client)
    handle = await start_held(harness)
    queries = [
        asyncio.create_task(handle.query(BookingWorkflow.view, rpc_timeout=QUERY_TIMEOUT)) for _ in range(query_count)
    ]
    await wait_for_timer(handle)
    resolving = [asyncio.create_task(resolve(handle, DECLINE))] if resolved == "before_worker" else []
    await asyncio.sleep(0.5)
    async with harness.running_workers(max_cached_workflows):
        results = await asyncio.gather(*queries, return_exceptions=True)
        assert all(isinstance(result, BookingView | RPCError) for result in results)
        assert any(isinstance(result, BookingView) for result in results)
        resolving = resolving or [asyncio.create_task(resolve(handle, DECLINE))]
        assert (await resolving[0]).status is Status.DECLINED
        await handle.result()
    await harness.terminate_and_replay()


async def start_held(harness: WorkflowHarness) -> BookingHandle:
    """A booking that waits for approval. Its workers stop before the first escalation."""
    async with harness.running_workers():
        handle = await harness.start_booking(confirmation=Confirmation.STAFF, staff_deadline=timedelta(seconds=4))
        await wait_for_exception(handle, Reason.APPROVAL)
        await harness.wait_for_patient_messages("held")
        await asyncio.sleep(0.5)
    return handle


async def wait_for_timer(handle: BookingHandle) -> None:
    await wait_for_event(handle, EventType.EVENT_TYPE_TIMER_FIRED)


@pytest.mark.parametrize("max_cached_workflows", [1000, 0])
async def test_booking_terminated_before_its_last_events_were_handled_can_be_shown(
    client: Client, bookings: DeskClient, max_cached_workflows: int
) -> None:
    harness = WorkflowHarness(client)
    handle = await start_held(harness)
    await wait_for_timer(handle)
    await handle.terminate()
    async with harness.running_workers(max_cached_workflows):
        assert (await bookings.show(handle.id)).status is Status.HELD
        with pytest.raises(NotPossible, match="closed"):
            await bookings.cancel(handle.id)
