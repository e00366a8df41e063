"""What every workflow gets: a setting. What every activity gets: heartbeats, logs, and failures for Temporal."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

from activities.error_types import NOT_IN_PRACTICE_FILE
from adapters.errors import OutsideError, RateLimited, Refused, Unavailable
from domain.practice import UnknownName
from workflows.shared.inbound import PLAIN_DECISIONS_FUNCTION

log = structlog.get_logger("activity")

MAX_FAILURE_MESSAGE_LENGTH = 500


class HoldfastInterceptor(Interceptor):
    def __init__(self, *, accept_plain_decisions: bool) -> None:
        self._accept_plain_decisions = accept_plain_decisions

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor] | None:
        """Intercepts nothing: it only tells the workflows a setting of this worker."""
        input.unsafe_extern_functions[PLAIN_DECISIONS_FUNCTION] = lambda: self._accept_plain_decisions
        return None

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _ActivityInterceptor(next)


class _ActivityInterceptor(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        info = activity.info()
        started_at = time.monotonic()
        context = {"workflow_id": info.workflow_id, "activity": info.activity_type, "attempt": info.attempt}
        with structlog.contextvars.bound_contextvars(**context):
            try:
                async with _heartbeats():
                    result = await super().execute_activity(input)
            except Exception as error:
                log.info("activity_failed", error=type(error).__name__, seconds=_seconds_since(started_at))
                raise to_temporal_failure(error) from None
            log.info("activity_completed", seconds=_seconds_since(started_at))
            return result


def to_temporal_failure(error: Exception) -> Exception:
    """An adapter's error as an ApplicationError, so that Temporal retries it the right way.

    Refusals are never retried. A name that is not in this worker's practice file is: the next attempt may run on a
    worker that has it. Other errors are retried after the delay they name, or else by the retry policy. The
    failure's type is the name of the class in ``adapters.errors``, also for an adapter's own subclass of it.
    """
    if isinstance(error, UnknownName):
        # Not a refusal: this worker's practice file may be older than the booking. The retry policy bounds the delay.
        return ApplicationError(
            f"this worker's practice file does not have it: {error}",
            type=NOT_IN_PRACTICE_FILE,
            category=ApplicationErrorCategory.BENIGN,
        )
    if not isinstance(error, OutsideError):
        return error
    type_name = next(base.__name__ for base in type(error).__mro__ if base.__module__ == OutsideError.__module__)
    return ApplicationError(
        str(error)[:MAX_FAILURE_MESSAGE_LENGTH],
        type=type_name,
        non_retryable=isinstance(error, Refused),
        next_retry_delay=error.retry_after if isinstance(error, RateLimited | Unavailable) else None,
        category=ApplicationErrorCategory.BENIGN,
    )


@asynccontextmanager
async def _heartbeats() -> AsyncIterator[None]:
    """Send a heartbeat every third of the timeout. An activity that ends sooner sends none."""
    timeout = activity.info().heartbeat_timeout
    if timeout is None:
        yield
        return

    async def send_heartbeats() -> None:
        while True:
            await asyncio.sleep(timeout.total_seconds() / 3)
            activity.heartbeat()

    task = asyncio.create_task(send_heartbeats())
    try:
        yield
    finally:
        task.cancel()


def _seconds_since(started_at: float) -> float:
    return round(time.monotonic() - started_at, 3)
