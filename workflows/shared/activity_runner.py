"""Runs activities against one practice system, with their timeouts, retries and priorities."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.common import Priority, RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception
from temporalio.workflow import ActivityCancellationType, ActivityHandle

with workflow.unsafe.imports_passed_through():
    from activities.queues import practice_queue
    from adapters.errors import REFUSAL_TYPES, NotAuthorized
    from domain.booking import Reason
    from workflows.shared.outcomes import Cancelled, NeedsStaff
    from workflows.shared.timers import is_task_cancelled

Input = TypeVar("Input")
Result = TypeVar("Result")

ATTEMPT_TIMEOUT = timedelta(seconds=100)
"""Longer than any attempt can take: two searches, one write and three reads, each within its HTTP timeout."""
HEARTBEAT_TIMEOUT = timedelta(seconds=15)
"""A worker that died is noticed after this time without a heartbeat."""
URGENT_TIMEOUT = timedelta(minutes=15)
"""An urgent step that has not succeeded after this time goes to the desk."""
ONCE_TIMEOUT = timedelta(seconds=3)
"""A booking goes on without the answer of a step that would only have saved work."""
URGENT_PRIORITY = 1
BACKGROUND_PRIORITY = 5

URGENT_RETRY = RetryPolicy(
    initial_interval=timedelta(milliseconds=500), backoff_coefficient=2, maximum_interval=timedelta(seconds=20)
)
BACKGROUND_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=1), backoff_coefficient=2, maximum_interval=timedelta(minutes=5)
)


class ActivityRunner:
    """Runs activities on the task queue of one connection, so that a slow practice system delays only its own."""

    def __init__(self, connection: str, location: str) -> None:
        self._queue = practice_queue(connection)
        self._location = location
        self._urgent: dict[ActivityHandle[Any], None] = {}
        """Running urgent activities. A dict keeps their order, which a set would not."""
        self._is_stopped = False

    def stop_urgent(self) -> None:
        """Cancel the urgent activities that are running. They and all later urgent ones raise Cancelled."""
        self._is_stopped = True
        for handle in self._urgent:
            handle.cancel()

    async def run_urgent(
        self, activity: Callable[[Any, Input], Awaitable[Result]], request: Input, summary: str
    ) -> Result:
        """Run an activity that somebody is waiting for.

        Raises NeedsStaff if the practice system refuses or does not answer for 15 minutes, and Cancelled after
        ``stop_urgent``.
        """
        if self._is_stopped:
            raise Cancelled
        handle = self._start(activity, request, summary, URGENT_TIMEOUT, URGENT_RETRY, URGENT_PRIORITY)
        self._urgent[handle] = None
        try:
            return await _wait_for_result(handle)
        except (ActivityError, NeedsStaff, asyncio.CancelledError) as failure:
            if self._is_stopped and not is_task_cancelled():
                raise Cancelled from failure
            raise
        finally:
            del self._urgent[handle]

    async def run_once(
        self, activity: Callable[[Any, Input], Awaitable[Result]], request: Input, summary: str
    ) -> Result | None:
        """Run an activity that only asks the ledger, on the workflows' own queue. ``None``: it did not answer."""
        if self._is_stopped:
            raise Cancelled
        try:
            return await workflow.execute_activity_method(
                activity,
                request,
                schedule_to_close_timeout=ONCE_TIMEOUT,
                retry_policy=RetryPolicy(maximum_attempts=1),
                summary=summary,
            )
        except ActivityError as failure:
            if is_cancelled_exception(failure):
                raise
            return None

    async def run_patiently(
        self,
        activity: Callable[[Any, Input], Awaitable[Result]],
        request: Input,
        summary: str,
        *,
        max_duration: timedelta | None = None,
    ) -> Result:
        """Run an activity that may take long; without ``max_duration`` it is retried until it succeeds.

        Raises NeedsStaff: REFUSED_BY_SYSTEM or NOT_AUTHORIZED if the practice system refuses, NOT_LANDED after
        ``max_duration``.
        """
        return await _wait_for_result(
            self._start(activity, request, summary, max_duration, BACKGROUND_RETRY, BACKGROUND_PRIORITY)
        )

    def _start(
        self,
        activity: Callable[[Any, Input], Awaitable[Result]],
        request: Input,
        summary: str,
        timeout: timedelta | None,
        retry_policy: RetryPolicy,
        priority: int,
    ) -> ActivityHandle[Result]:
        return workflow.start_activity_method(
            activity,
            request,
            task_queue=self._queue,
            start_to_close_timeout=ATTEMPT_TIMEOUT,
            schedule_to_close_timeout=timeout,
            heartbeat_timeout=HEARTBEAT_TIMEOUT,
            retry_policy=retry_policy,
            # A cancelled write may have been sent already: wait until the worker says how it ended.
            cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            # Locations take turns in the queue, so a rush at one does not delay the others.
            priority=Priority(priority_key=priority, fairness_key=self._location),
            summary=summary,
        )


async def _wait_for_result(handle: Awaitable[Result]) -> Result:
    """The result, with a failure translated for the booking.

    A caller that was cancelled stays cancelled, even if the activity completed all the same.
    """
    try:
        result = await handle
    except ActivityError as failure:
        if is_cancelled_exception(failure):
            raise
        if is_task_cancelled():
            raise asyncio.CancelledError from failure
        raise _translated(failure.cause) from failure
    if is_task_cancelled():
        raise asyncio.CancelledError
    return result


def _translated(cause: BaseException | None) -> NeedsStaff:
    if not isinstance(cause, ApplicationError) or cause.type not in REFUSAL_TYPES:
        return NeedsStaff(Reason.NOT_LANDED)
    if cause.type == NotAuthorized.__name__:
        return NeedsStaff(Reason.NOT_AUTHORIZED)
    return NeedsStaff(Reason.REFUSED_BY_SYSTEM, refusal=cause.message)
