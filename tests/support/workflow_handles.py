"""Waits for, resolves and cancels a booking through its workflow handle."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest
from temporalio.client import WorkflowHandle

from domain.booking import BookingView, Reason, Status
from tests.support.polling import POLL_INTERVAL_SECONDS
from workflows.booking.contracts import Resolution, ResolutionKind
from workflows.booking.workflow import BookingWorkflow

APPROVE, DECLINE, RETRY = (
    Resolution(kind=kind) for kind in (ResolutionKind.APPROVE, ResolutionKind.DECLINE, ResolutionKind.RETRY)
)
SECOND = timedelta(seconds=1)
BookingHandle = WorkflowHandle[BookingWorkflow, BookingView]


async def wait_for_view(
    handle: BookingHandle, condition: Callable[[BookingView], bool], seconds: float = 20
) -> BookingView:
    """The first view that meets the condition. Fails the test after about this many seconds."""
    for _ in range(int(seconds / POLL_INTERVAL_SECONDS)):
        view = await handle.query(BookingWorkflow.view)
        if condition(view):
            return view
        await asyncio.sleep(POLL_INTERVAL_SECONDS)
    pytest.fail(f"still {view.status} {view.reason}")


async def wait_for_exception(handle: BookingHandle, reason: Reason) -> BookingView:
    """Wait until an exception with this reason is open at the desk."""
    return await wait_for_view(handle, lambda view: view.reason is reason and bool(view.resolutions))


async def wait_for_confirmed(handle: BookingHandle) -> BookingView:
    return await wait_for_view(handle, lambda view: view.status is Status.CONFIRMED)


async def resolve(handle: BookingHandle, resolution: Resolution) -> BookingView:
    """Resolve the open exception and wait for the outcome, even if the update itself returns before it."""
    view = await handle.execute_update(BookingWorkflow.resolve_exception, resolution)
    return view if has_outcome(view) else await wait_for_view(handle, has_outcome)


async def cancel(handle: BookingHandle) -> BookingView:
    """Cancel the booking and wait until it is final, even if the update itself returns before that."""
    view = await handle.execute_update(BookingWorkflow.cancel)
    return view if view.status.is_final else await wait_for_view(handle, lambda view: view.status.is_final)


def has_outcome(view: BookingView) -> bool:
    """Whether the view shows more than that the booking is still in progress."""
    return view.reason is not None or view.status not in (Status.RECEIVED, Status.HELD)
