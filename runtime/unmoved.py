"""A query shows where a booking stands; it must not move it on.

Where something has happened that no workflow task has handled yet, the SDK's core applies it all the same to answer
a query, at the time of the last task instead of now. What the workflow then does enters the history with the next
task, no replay repeats it, and the booking is stuck with the next worker. Seen with temporalio 1.35: a query waits for
a worker, and meanwhile a timer fires.
"""

from collections.abc import Callable

import structlog
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion

log = structlog.get_logger(__name__)

Activate = Callable[[WorkflowActivation], WorkflowActivationCompletion]
SHOWS_OR_ENDS = frozenset({"query_workflow", "remove_from_cache"})


class Unmoved:
    """Stands before one workflow in a worker's memory.

    What is applied for a query alone is kept from it. As the core takes it for done, the next task fails, and the
    workflow is played anew.
    """

    def __init__(self, activate: Activate) -> None:
        self._activate = activate
        self._time = 0
        """Of the latest task, in nanoseconds: each has its own."""
        self._events = 0
        self._is_behind = False

    def __call__(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        if SHOWS_OR_ENDS.issuperset(job.WhichOneof("variant") for job in act.jobs):
            return self._activate(act)
        completion = WorkflowActivationCompletion(run_id=act.run_id)
        if self._is_behind:
            completion.failed.failure.message = "a query was answered before this task: played anew"
            return completion
        time = act.timestamp.ToNanoseconds()
        if not act.is_replaying and time == self._time and act.history_length > self._events:
            log.info("kept what a query brought")
            self._is_behind = True
            completion.successful.SetInParent()
            return completion
        self._time, self._events = time, act.history_length
        return self._activate(act)
