"""What every activity does besides its own work: log without names, show that it lives, fail in known ways."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from adapters.errors import OutsideError, RateLimited, Refused, Unavailable
from domain.practice import UnknownName

log = structlog.get_logger("activity")


class HoldfastInterceptor(Interceptor):
    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Activity(next)


class _Activity(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        info = activity.info()
        begun = time.monotonic()
        context = {"workflow_id": info.workflow_id, "activity": info.activity_type, "attempt": info.attempt}
        with structlog.contextvars.bound_contextvars(**context):
            try:
                async with _heartbeats():
                    result = await super().execute_activity(input)
            except Exception as failure:
                log.info("failed", error=type(failure).__name__, seconds=round(time.monotonic() - begun, 3))
                raise translated(failure) from None
            log.info("done", seconds=round(time.monotonic() - begun, 3))
            return result


def translated(failure: Exception) -> Exception:
    """An outside error as Temporal retries it: refusals never, others when they say, else by policy.

    An adapter's own kind of it travels under the name that the family has for it.
    """
    if isinstance(failure, UnknownName):
        return ApplicationError(str(failure), type="Misconfigured", non_retryable=True)
    if not isinstance(failure, OutsideError):
        return failure
    kind = next(base.__name__ for base in type(failure).__mro__ if base.__module__ == OutsideError.__module__)
    return ApplicationError(
        str(failure)[:500],
        type=kind,
        non_retryable=isinstance(failure, Refused),
        next_retry_delay=failure.retry_after if isinstance(failure, RateLimited | Unavailable) else None,
        category=ApplicationErrorCategory.BENIGN,
    )


@asynccontextmanager
async def _heartbeats() -> AsyncIterator[None]:
    """Beat every third of the timeout, so that an activity that is quick sends none at all."""
    timeout = activity.info().heartbeat_timeout
    if timeout is None:
        yield
        return

    async def beat() -> None:
        while True:
            await asyncio.sleep(timeout.total_seconds() / 3)
            activity.heartbeat()

    beating = asyncio.create_task(beat())
    try:
        yield
    finally:
        beating.cancel()
