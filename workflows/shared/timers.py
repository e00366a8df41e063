"""Waiting inside a workflow: until a deadline, for a condition, or for work in the background.

Workflows wait with a deadline, and for tasks, through this module alone. ``asyncio.wait_for``, and ``asyncio.gather``
over tasks that have ended, schedule their callbacks differently on Python 3.11 and 3.12, so a history recorded on one
version might not replay on the other.
See docs/decisions/0013.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import is_cancelled_exception

BARRIER_DELAY = timedelta(milliseconds=1)


async def wait_until(deadline: datetime, condition: Callable[[], bool], summary: str) -> bool:
    """Wait for the condition, at most until the deadline. Return whether the condition is true.

    ``summary`` names the timer in Temporal's UI.
    """
    return await _wait_within(condition, deadline - workflow.now(), summary)


async def _wait_within(condition: Callable[[], bool], max_wait: timedelta, summary: str) -> bool:
    """Like ``workflow.wait_condition`` with a timeout, but with the same order of events on every Python.

    The SDK's version rests on ``asyncio.wait_for``. On 3.11 that also lets a cancelled waiter go on if the condition
    comes true at the same moment.
    """
    if condition() or max_wait <= timedelta(0):
        return condition()
    timer = asyncio.create_task(workflow.sleep(max_wait, summary=summary))
    try:
        await workflow.wait_condition(lambda: timer.done() or condition())
    finally:
        timer.cancel()
    return condition()


async def apply_pending_events_first() -> None:
    """Let earlier events reach the workflow before an update changes anything. Validate the update again after this.

    A worker without this workflow in its cache may receive an update before the activity results that precede it
    (https://github.com/temporalio/sdk-rust/issues/1606). A change made right away would enter the history in an order
    that no replay repeats, and the workflow would be stuck. See docs/decisions/0010.
    """
    await workflow.sleep(BARRIER_DELAY, summary="Apply earlier events first")


async def sleep_until(moment: datetime, summary: str) -> None:
    await workflow.sleep(max(moment - workflow.now(), timedelta(0)), summary=summary)


@asynccontextmanager
async def running_meanwhile(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run ``work`` while the block runs, and cancel what is left of it when the block ends.

    A failure of the work is raised when the block ends.
    """
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await wait_all(tasks)


async def run_with_deadline(
    work: Coroutine[Any, Any, None], *, max_wait: timedelta, stop_when: Callable[[], bool], summary: str
) -> bool:
    """Run ``work`` until it ends, ``max_wait`` passes, or ``stop_when`` is true. Return whether it ran to its end.

    Work that did not end in time is cancelled.
    """
    task = asyncio.create_task(work)
    try:
        await _wait_within(lambda: task.done() or stop_when(), max_wait, summary)
    finally:
        task.cancel()
        await wait_all([task])
    return not task.cancelled()


def is_task_cancelled() -> bool:
    """Whether the current task was asked to end.

    An activity that completes at the moment of its cancellation returns a result, so the caller must ask here.
    """
    current = asyncio.current_task()
    return current is not None and current.cancelling() > 0


async def wait_all(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Wait until every task has ended. Raise the first failure; cancelled tasks are no failure.

    If the caller is cancelled, that takes effect only after all tasks have ended, as with ``asyncio.gather``.
    """
    cancelled: asyncio.CancelledError | None = None
    while not all(task.done() for task in tasks):
        try:
            await workflow.wait_condition(lambda: all(task.done() for task in tasks))
        except asyncio.CancelledError as cancellation:
            cancelled = cancellation
    if cancelled is not None:
        raise cancelled
    for task in tasks:
        failure = None if task.cancelled() else task.exception()
        if failure is not None and not is_cancelled_exception(failure):
            raise failure
