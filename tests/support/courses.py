"""How a test of a booking by hand looks at it, decides on it, and cancels it."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowHandle

from domain.booking import BookingView, Reason, Status
from domain.rules import Confirmation
from workflows.booking import BookingWorkflow
from workflows.contracts import Resolution, ResolutionKind

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
    return await handle.execute_update(BookingWorkflow.resolve_exception, decision)


async def cancel(handle: Handle) -> BookingView:
    return await handle.execute_update(BookingWorkflow.cancel)
