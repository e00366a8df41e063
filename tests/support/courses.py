"""How a test of a booking by hand looks at it, decides on it, and cancels it."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle

from domain.booking import BookingView, Reason, Status
from domain.rules import Confirmation
from workflows.booking.messages import Resolution, ResolutionKind
from workflows.booking.workflow import BookingWorkflow

STAFF = Confirmation.STAFF
SECONDS = timedelta(seconds=1)
APPROVE, DECLINE, RETRY = (
    Resolution(kind=kind) for kind in (ResolutionKind.APPROVE, ResolutionKind.DECLINE, ResolutionKind.RETRY)
)
Handle = WorkflowHandle[BookingWorkflow, BookingView]


async def until(true: Callable[[], Any], seconds: float = 20) -> None:
    for _ in range(int(seconds * 20)):
        if true():
            return
        await asyncio.sleep(0.05)
    pytest.fail("it never came true")


async def seen(handle: Handle, true: Callable[[BookingView], bool], seconds: float = 20) -> BookingView:
    for _ in range(int(seconds * 20)):
        view = await handle.query(BookingWorkflow.view)
        if true(view):
            return view
        await asyncio.sleep(0.05)
    pytest.fail(f"still {view.status} {view.reason}")


async def waiting(handle: Handle, reason: Reason) -> BookingView:
    return await seen(handle, lambda view: view.reason is reason and bool(view.resolutions))


async def confirmed(handle: Handle) -> BookingView:
    return await seen(handle, lambda view: view.status is Status.CONFIRMED)


async def decide(handle: Handle, decision: Resolution) -> BookingView:
    """What came of it, also where that took longer than whoever decides is kept waiting."""
    view = await handle.execute_update(BookingWorkflow.resolve_exception, decision)
    return view if says_more_than_that_it_goes_on(view) else await seen(handle, says_more_than_that_it_goes_on)


async def cancel(handle: Handle) -> BookingView:
    """How it ended, also where that took longer than whoever cancels is kept waiting."""
    view = await handle.execute_update(BookingWorkflow.cancel)
    return view if view.status.is_final else await seen(handle, lambda view: view.status.is_final)


def says_more_than_that_it_goes_on(view: BookingView) -> bool:
    return view.reason is not None or view.status not in (Status.RECEIVED, Status.HELD)


# ---- what has happened, as the server has it


async def kinds(handle: WorkflowHandle[Any, Any]) -> list[int]:
    return [event.event_type async for event in handle.fetch_history_events()]


async def happened(handle: WorkflowHandle[Any, Any], kind: int) -> None:
    while kind not in await kinds(handle):
        await asyncio.sleep(0.05)


async def at_rest(handle: Handle) -> None:
    """All that was begun has answered, and no worker has anything to do."""
    while True:
        found = await kinds(handle)
        begun = found.count(EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED)
        answered = found.count(EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED)
        waiting = (EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED, EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED)
        handled = _last(found, EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)
        if begun == answered and handled > max(_last(found, kind) for kind in waiting):
            return
        await asyncio.sleep(0.05)


async def heard(handle: Handle) -> None:
    """What was asked last is judged by now: that takes a moment from when it was accepted."""
    while True:
        found = await kinds(handle)
        accepted = _last(found, EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED)
        since = found[accepted:] if accepted >= 0 else []
        if EventType.EVENT_TYPE_TIMER_FIRED in since:
            judged = since[since.index(EventType.EVENT_TYPE_TIMER_FIRED) :]
            if EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED in judged:
                return
        await asyncio.sleep(0.05)


async def asked_to_end(handle: Handle, step: str) -> None:
    """The booking does not want this step any more."""
    begun: dict[int, str] = {}
    while True:
        async for event in handle.fetch_history_events():
            if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
                begun[event.event_id] = event.activity_task_scheduled_event_attributes.activity_type.name
            elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED:
                asked = event.activity_task_cancel_requested_event_attributes.scheduled_event_id
                if begun[asked] == step:
                    return
        await asyncio.sleep(0.05)


def _last(found: list[int], kind: int) -> int:
    """Where it is for the last time; -1: nowhere."""
    return max((index for index, each in enumerate(found) if each == kind), default=-1)
