"""The steps that touch the practice system, with their budgets of time and what their failures mean."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.common import Priority, RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception
from temporalio.workflow import ActivityCancellationType, ActivityHandle

with workflow.unsafe.imports_passed_through():
    from activities.queues import practice_queue
    from adapters.errors import REFUSALS
    from domain.booking import Reason
    from workflows.booking.interruptions import NeedsStaff, Withdrawn
    from workflows.shared.timers import beside, is_cancelled

Given = TypeVar("Given")
Result = TypeVar("Result")

ONE_ATTEMPT = timedelta(seconds=100)
"""Longer than an attempt can take: looking twice, one write and three readings, each within its HTTP timeout."""
SILENCE = timedelta(seconds=15)
"""A worker that died is noticed after so long without a heartbeat."""
LANDING_DEADLINE = timedelta(minutes=15)
"""A booking that could not be written for so long goes to a person."""
LATE_AFTER = timedelta(minutes=10)
"""What could not be done for so long is known to the desk; before a visit, in half the time that is left."""
URGENT = 1
IN_THE_BACKGROUND = 5

PATIENTLY = RetryPolicy(
    initial_interval=timedelta(seconds=1), backoff_coefficient=2, maximum_interval=timedelta(minutes=5)
)
BRISKLY = RetryPolicy(
    initial_interval=timedelta(milliseconds=500), backoff_coefficient=2, maximum_interval=timedelta(seconds=20)
)


class PracticeSteps:
    """Runs activities on the queue of one connection, so that an office that hangs holds up only itself."""

    def __init__(
        self, connection: str, location: str, desk_knows: Callable[[Reason], Coroutine[Any, Any, None]]
    ) -> None:
        self._desk_knows = desk_knows
        self._queue = practice_queue(connection)
        self._location = location
        self._running: dict[ActivityHandle[Any], None] = {}
        self._withdrawn = False

    def stop(self) -> None:
        """The patient withdrew: end what is running; it and later urgent steps raise Withdrawn."""
        self._withdrawn = True
        for handle in self._running:
            handle.cancel()

    async def urgent(self, step: Callable[[Any, Given], Awaitable[Result]], given: Given, summary: str) -> Result:
        """A step on the way to the answer. Raises NeedsStaff when it can't be done, Withdrawn when not wanted."""
        if self._withdrawn:
            raise Withdrawn
        handle = self._started(step, given, summary, LANDING_DEADLINE, BRISKLY, URGENT)
        self._running[handle] = None
        try:
            return await _outcome(handle)
        except (ActivityError, NeedsStaff, asyncio.CancelledError) as failure:
            if self._withdrawn and not is_cancelled():
                raise Withdrawn from failure
            raise
        finally:
            del self._running[handle]

    async def cleanup(
        self,
        step: Callable[[Any, Given], Awaitable[Result]],
        given: Given,
        summary: str,
        *,
        late: Reason = Reason.NO_ANSWER,
        before: datetime | None = None,
    ) -> Result:
        """A step that must happen in the end, however long the office is away; ``late`` is what the desk hears then.

        ``before``: the visit that the desk must know about in time. Raises NeedsStaff if refused.
        """
        try:
            return await _outcome(self._in_the_end(step, given, summary, _patience(before)))
        except NeedsStaff as need:
            if need.reason is Reason.REFUSED_BY_SYSTEM:
                raise
        async with beside(self._desk_knows(late)):
            return await _outcome(self._in_the_end(step, given, summary, None))

    def _in_the_end(
        self, step: Callable[[Any, Given], Awaitable[Result]], given: Given, summary: str, within: timedelta | None
    ) -> ActivityHandle[Result]:
        return self._started(step, given, summary, within, PATIENTLY, IN_THE_BACKGROUND)

    def _started(
        self,
        step: Callable[[Any, Given], Awaitable[Result]],
        given: Given,
        summary: str,
        within: timedelta | None,
        retries: RetryPolicy,
        priority: int,
    ) -> ActivityHandle[Result]:
        """Locations take turns, so that a rush at one does not make the others wait."""
        return workflow.start_activity_method(
            step,
            given,
            task_queue=self._queue,
            start_to_close_timeout=ONE_ATTEMPT,
            schedule_to_close_timeout=within,
            heartbeat_timeout=SILENCE,
            retry_policy=retries,
            cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            priority=Priority(priority_key=priority, fairness_key=self._location),
            summary=summary,
        )


def _patience(before: datetime | None) -> timedelta:
    left = before - workflow.now() if before is not None else timedelta(0)
    return min(LATE_AFTER, left / 2) if left > timedelta(0) else LATE_AFTER


async def _outcome(step: Awaitable[Result]) -> Result:
    """What the step came to. Who was cancelled while it ran stays cancelled, though it ended all the same."""
    try:
        result = await step
    except ActivityError as failure:
        if is_cancelled_exception(failure):
            raise
        if is_cancelled():
            raise asyncio.CancelledError from failure
        if isinstance(failure.cause, ApplicationError) and failure.cause.type in REFUSALS:
            raise NeedsStaff(Reason.REFUSED_BY_SYSTEM, said=failure.cause.message) from failure
        raise NeedsStaff(Reason.NOT_LANDED) from failure
    if is_cancelled():
        raise asyncio.CancelledError
    return result
