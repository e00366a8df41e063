"""Waits until everything is at rest after the faults, so that the evidence is final."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.service import RPCError

from client import DeskClient
from domain.booking import Reason
from tests.faults.practice_probe import Row
from tests.faults.stack import FaultStack
from workflows.booking.contracts import workflow_id

SETTLE_TIMEOUT = 170.0
DRAIN_TIMEOUT = 45.0
"""Seconds. The sandbox repeats a webhook that nobody took after 30 seconds."""
POLL_INTERVAL = 0.5
RPC_TIMEOUT = timedelta(seconds=5)
SHORT_TIMER = timedelta(seconds=60)
"""A timer that is due within this time is part of the work. Longer timers wait for people or for the visit."""


async def wait_until_drained(stack: FaultStack) -> Row:
    """The sandbox's state when its queue is empty and all webhooks are delivered, or after ``DRAIN_TIMEOUT``."""
    end = asyncio.get_running_loop().time() + DRAIN_TIMEOUT
    while True:
        state = await stack.control("state")
        undelivered = [delivery for delivery in state["nexhealth"]["outbox"] if not delivery["forged"]]
        if not (undelivered or state["nexhealth"]["queue"]) or asyncio.get_running_loop().time() > end:
            return state
        await asyncio.sleep(POLL_INTERVAL)


async def wait_until_settled(
    stack: FaultStack, client: Client, bookings: DeskClient, request_ids: Iterable[str]
) -> list[str]:
    """Wait until all bookings are at rest. Returns the request ids of those that are not after ``SETTLE_TIMEOUT``."""
    pending = set(request_ids)
    end = asyncio.get_running_loop().time() + SETTLE_TIMEOUT
    while pending and asyncio.get_running_loop().time() < end:
        for request_id in sorted(pending):
            if await _fetch_at_rest(stack, client, bookings, request_id):
                pending.discard(request_id)
        await asyncio.sleep(POLL_INTERVAL)
    return sorted(pending)


async def _fetch_at_rest(stack: FaultStack, client: Client, bookings: DeskClient, request_id: str) -> bool:
    """Whether no activity runs, no timer is due soon and no write may land. A booking that was never started rests."""
    handle = client.get_workflow_handle(workflow_id(request_id))
    try:
        execution = await handle.describe(rpc_timeout=RPC_TIMEOUT)
        description = execution.raw_description
        if execution.close_time is not None:
            return True
        if description.pending_activities or description.HasField("pending_workflow_task"):
            return False
        if await _fetch_timer_due_soon(client, request_id):
            return False
        view = await bookings.show(request_id)
        if view.reason not in (Reason.AWAITING_OFFICE, Reason.OFFICE_OFFLINE):
            return True
        return view.reference in stack.probe.unreported_references(await stack.control("state"))
    except RPCError as error:
        return error.status.name == "NOT_FOUND"


async def _fetch_timer_due_soon(client: Client, request_id: str) -> bool:
    due: dict[str, datetime] = {}
    history = await client.get_workflow_handle(workflow_id(request_id)).fetch_history()
    for event in history.events:
        if event.event_type == EventType.EVENT_TYPE_TIMER_STARTED:
            timer = event.timer_started_event_attributes
            duration = timer.start_to_fire_timeout.ToTimedelta()
            due[timer.timer_id] = event.event_time.ToDatetime(tzinfo=UTC) + duration
        elif event.event_type == EventType.EVENT_TYPE_TIMER_FIRED:
            due.pop(event.timer_fired_event_attributes.timer_id, None)
        elif event.event_type == EventType.EVENT_TYPE_TIMER_CANCELED:
            due.pop(event.timer_canceled_event_attributes.timer_id, None)
    return any(due_at < datetime.now(UTC) + SHORT_TIMER for due_at in due.values())
