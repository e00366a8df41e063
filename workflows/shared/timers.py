"""Waiting: with a deadline, beside something else, and with reminders for those who are waited for."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import is_cancelled_exception

LAST_CALL = timedelta(hours=3)
"""Before the visit somebody is reminded once more, while there is still time to act."""
RARELY = timedelta(days=7)
A_MOMENT = timedelta(milliseconds=1)


async def happens_before(deadline: datetime, condition: Callable[[], bool], summary: str) -> bool:
    """Whether the condition came true by then."""
    return await _comes_true(condition, deadline - workflow.now(), summary)


async def _comes_true(condition: Callable[[], bool], within: timedelta, summary: str) -> bool:
    """As the SDK's wait with a timeout, but the same on every Python.

    ``asyncio.wait_for``, on which that one rests, is not: a history recorded on 3.11 would not replay on 3.12, and 3.11
    lets go on who is cancelled at the moment at which the condition comes true.
    """
    if condition() or within <= timedelta(0):
        return condition()
    over = asyncio.create_task(workflow.sleep(within, summary=summary))
    try:
        await workflow.wait_condition(lambda: over.done() or condition())
    finally:
        over.cancel()
    return condition()


async def caught_up() -> None:
    """For an update that changes anything: let what has happened before it be applied first, then judge it again.

    A worker that does not have the workflow in memory may be handed the update before the last results of activities
    (https://github.com/temporalio/sdk-rust/issues/1606). What it then did at once would stand in the history in an
    order that no replay repeats, and the booking would be stuck.
    """
    await workflow.sleep(A_MOMENT, summary="What has happened comes before what is asked")


async def sleep_until(moment: datetime, summary: str) -> None:
    await workflow.sleep(max(moment - workflow.now(), timedelta(0)), summary=summary)


@asynccontextmanager
async def beside(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Has this done meanwhile; what is not done when the block ends is dropped."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await ended(tasks)


async def done_before(
    condition: Callable[[], bool], work: Coroutine[Any, Any, None], within: timedelta, summary: str
) -> bool:
    """Whether this was done before the condition came true, and within the time given; else it is dropped."""
    task = asyncio.create_task(work)
    try:
        await _comes_true(lambda: task.done() or condition(), within, summary)
    finally:
        task.cancel()
        await ended([task])
    return not task.cancelled()


def is_cancelled() -> bool:
    """Whether whoever waits is to end; a step that had ended when it was stopped is cancelled by itself."""
    waiting = asyncio.current_task()
    return waiting is not None and waiting.cancelling() > 0


async def ended(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Returns when all have ended; what failed fails here, what was dropped does not.

    Who is cancelled meanwhile is so only then, as by ``asyncio.gather``: nobody goes on beside what has not ended yet.
    ``asyncio.gather`` takes what has ended before on the spot since Python 3.12, and a turn of the loop later on 3.11.
    """
    cancelled: asyncio.CancelledError | None = None
    while not all(task.done() for task in tasks):
        try:
            await workflow.wait_condition(lambda: all(task.done() for task in tasks))
        except asyncio.CancelledError as dropped:
            cancelled = dropped
    if cancelled is not None:
        raise cancelled
    for task in tasks:
        failure = None if task.cancelled() else task.exception()
        if failure is not None and not is_cancelled_exception(failure):
            raise failure


class Reminders:
    """When somebody who does not act is reminded: ever more rarely, and once hours before the visit.

    Where less than twice that time is left, half-way to the visit.
    """

    def __init__(self, patience: timedelta, start: datetime) -> None:
        now = workflow.now()
        self._patience = patience
        self._last_call = max(start - LAST_CALL, now + (start - now) / 2)
        self.next_at = now
        self.reminded()

    def reminded(self) -> None:
        now = workflow.now()
        self.next_at = now + self._patience
        if now < self._last_call:
            self.next_at = min(self.next_at, self._last_call)
        self._patience = min(2 * self._patience, max(self._patience, RARELY))
