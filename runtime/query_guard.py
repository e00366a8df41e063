"""A query shows where a booking stands; it must not move it on.

Where something has happened that no workflow task has handled yet, the SDK's core applies it all the same to answer
a query, at the time of the last task instead of now. What the workflow then does enters the history with the next
task, no replay repeats it, and the booking is stuck with the next worker. Seen with temporalio 1.35: a query waits for
a worker, and meanwhile a timer fires.
"""

from collections.abc import Callable
from typing import Any

import structlog
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.client import Interceptor, OutboundInterceptor, QueryWorkflowInput, WorkflowQueryFailedError

log = structlog.get_logger(__name__)

Activate = Callable[[WorkflowActivation], WorkflowActivationCompletion]
SHOWS_OR_ENDS = frozenset({"query_workflow", "remove_from_cache"})
ASK_AGAIN = "something has happened that no task has handled yet: ask again"
ASKED_TIMES = 5


class Unmoved:
    """Stands before one workflow in a worker's memory.

    What is applied for a query alone fails: the query with it, which can be asked again, and the worker forgets the
    workflow, so that the next task plays it from its history.
    """

    def __init__(self, activate: Activate) -> None:
        self._activate = activate
        self._time = 0
        """Of the latest task, in nanoseconds: each has its own."""
        self._events = 0

    def __call__(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        if SHOWS_OR_ENDS.issuperset(job.WhichOneof("variant") for job in act.jobs):
            return self._activate(act)
        time = act.timestamp.ToNanoseconds()
        if not act.is_replaying and time == self._time and act.history_length > self._events:
            log.info("a query is to be asked again")
            completion = WorkflowActivationCompletion(run_id=act.run_id)
            completion.failed.failure.message = ASK_AGAIN
            return completion
        self._time, self._events = time, act.history_length
        return self._activate(act)


class AskingAgain(Interceptor):
    """The other half, at the client: whoever asked does not notice."""

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        return _AsksAgain(next)


class _AsksAgain(OutboundInterceptor):
    async def query_workflow(self, input: QueryWorkflowInput) -> Any:
        for _ in range(ASKED_TIMES - 1):
            try:
                return await super().query_workflow(input)
            except WorkflowQueryFailedError as failure:
                if ASK_AGAIN not in str(failure):
                    raise
        return await super().query_workflow(input)
