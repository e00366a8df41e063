"""Activities that must succeed in the end, however long the practice system is away."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain.booking import Reason
    from workflows.booking.desk_queue import DeskQueue
    from workflows.shared.activity_runner import ActivityRunner
    from workflows.shared.outcomes import NeedsStaff
    from workflows.shared.timers import running_meanwhile

Input = TypeVar("Input")
Result = TypeVar("Result")

LATE_AFTER = timedelta(minutes=10)
"""The desk hears of work that is not done after this time; before a visit, after half the time that is left."""


class BackgroundRunner:
    def __init__(self, runner: ActivityRunner, desk_queue: DeskQueue) -> None:
        self._runner = runner
        self._desk_queue = desk_queue

    async def run_until_done(
        self,
        activity: Callable[[Any, Input], Awaitable[Result]],
        request: Input,
        summary: str,
        *,
        reason_if_late: Reason = Reason.NO_ANSWER,
        visit_start: datetime | None = None,
    ) -> Result:
        """Retry an activity until it succeeds, and tell the desk if that takes long.

        ``visit_start``: the visit before which the desk must know. Raises NeedsStaff if the practice system refuses.
        """
        try:
            return await self._runner.run_patiently(activity, request, summary, max_duration=_late_after(visit_start))
        except NeedsStaff as problem:
            if problem.reason is not Reason.NOT_LANDED:
                raise
        async with running_meanwhile(self._desk_queue.inform_until_acknowledged(reason_if_late)):
            return await self._runner.run_patiently(activity, request, summary)


def _late_after(visit_start: datetime | None) -> timedelta:
    left = visit_start - workflow.now() if visit_start is not None else timedelta(0)
    return min(LATE_AFTER, left / 2) if left > timedelta(0) else LATE_AFTER
