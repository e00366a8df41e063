"""Keep a query from changing a booking.

When events have arrived that no workflow task has handled yet, the SDK's core applies them in order to answer a
query, at the time of the last task instead of now. The commands that the workflow then issues enter the history with
the next task, but no replay issues them in that order, so the booking is stuck on the next worker. Seen with
temporalio 1.35: a query waits for a worker, and meanwhile a timer fires.

See docs/decisions/0012-fail-queries-that-would-advance-a-booking.md. Before upgrading the SDK, see
``tests/unit/test_sdk_internals.py``.
"""

from collections.abc import Callable
from typing import Any

import structlog
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.client import Interceptor, OutboundInterceptor, QueryWorkflowInput, WorkflowQueryFailedError

log = structlog.get_logger(__name__)

Activate = Callable[[WorkflowActivation], WorkflowActivationCompletion]
READ_ONLY_JOBS = frozenset({"query_workflow", "remove_from_cache"})
RETRY_MESSAGE = "the booking has events that no workflow task has handled yet; repeat the query"
"""Part of the query's failure. The client recognizes it and repeats the query."""
MAX_QUERY_ATTEMPTS = 5


class QueryGuard:
    """Replaces ``activate`` of one workflow in a worker's cache.

    An activation that applies events only to answer a query fails. The query fails with it and can be repeated. The
    worker drops the workflow from its cache, so the next task replays it from its history.
    """

    def __init__(self, activate: Activate) -> None:
        self._activate = activate
        self._last_task_time = 0
        """Nanoseconds. Every workflow task has its own time; an activation for a query repeats the last one's."""
        self._last_history_length = 0

    def __call__(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        if READ_ONLY_JOBS.issuperset(job.WhichOneof("variant") for job in act.jobs):
            return self._activate(act)
        task_time = act.timestamp.ToNanoseconds()
        has_new_events = act.history_length > self._last_history_length
        if not act.is_replaying and task_time == self._last_task_time and has_new_events:
            log.info("query_refused_before_task")
            completion = WorkflowActivationCompletion(run_id=act.run_id)
            completion.failed.failure.message = RETRY_MESSAGE
            return completion
        self._last_task_time, self._last_history_length = task_time, act.history_length
        return self._activate(act)


class QueryRetryInterceptor(Interceptor):
    """The client's half: repeats a query that the guard refused, so that callers do not notice."""

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        return _QueryRetry(next)


class _QueryRetry(OutboundInterceptor):
    async def query_workflow(self, input: QueryWorkflowInput) -> Any:
        for _ in range(MAX_QUERY_ATTEMPTS - 1):
            try:
                return await super().query_workflow(input)
            except WorkflowQueryFailedError as error:
                if RETRY_MESSAGE not in str(error):
                    raise
        return await super().query_workflow(input)
