"""Waits for events in a workflow's history, as the Temporal server has it."""

import asyncio
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle

from tests.support.polling import POLL_INTERVAL_SECONDS


async def event_types(handle: WorkflowHandle[Any, Any]) -> list[int]:
    return [event.event_type async for event in handle.fetch_history_events()]


async def workflow_task_failures(handle: WorkflowHandle[Any, Any]) -> list[str]:
    """What every failed workflow task said."""
    return [
        event.workflow_task_failed_event_attributes.failure.message
        async for event in handle.fetch_history_events()
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
    ]


async def wait_for_event(handle: WorkflowHandle[Any, Any], event_type: int) -> None:
    while event_type not in await event_types(handle):
        await asyncio.sleep(POLL_INTERVAL_SECONDS)


async def wait_until_idle(handle: WorkflowHandle[Any, Any]) -> None:
    """Wait until every scheduled activity has completed and no workflow task is left to do."""
    while True:
        types = await event_types(handle)
        scheduled = types.count(EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED)
        completed = types.count(EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED)
        work = (EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED, EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED)
        last_task = _last_index(types, EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)
        if scheduled == completed and last_task > max(_last_index(types, event_type) for event_type in work):
            return
        await asyncio.sleep(POLL_INTERVAL_SECONDS)


async def wait_until_update_validated(handle: WorkflowHandle[Any, Any]) -> None:
    """Wait until the latest accepted update has been validated again after its barrier timer.

    See ``apply_pending_events_first``: an update changes nothing before that timer has fired.
    """
    while True:
        types = await event_types(handle)
        accepted = _last_index(types, EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED)
        later = types[accepted:] if accepted >= 0 else []
        if EventType.EVENT_TYPE_TIMER_FIRED in later:
            after_barrier = later[later.index(EventType.EVENT_TYPE_TIMER_FIRED) :]
            if EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED in after_barrier:
                return
        await asyncio.sleep(POLL_INTERVAL_SECONDS)


async def wait_until_cancel_requested(handle: WorkflowHandle[Any, Any], activity: str) -> None:
    """Wait until the workflow has requested the cancellation of an activity of this type."""
    scheduled: dict[int, str] = {}
    while True:
        async for event in handle.fetch_history_events():
            if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
                scheduled[event.event_id] = event.activity_task_scheduled_event_attributes.activity_type.name
            elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED:
                event_id = event.activity_task_cancel_requested_event_attributes.scheduled_event_id
                if scheduled[event_id] == activity:
                    return
        await asyncio.sleep(POLL_INTERVAL_SECONDS)


def _last_index(types: list[int], event_type: int) -> int:
    """Index of the last event of this type, or -1 if there is none."""
    return max((index for index, each in enumerate(types) if each == event_type), default=-1)
