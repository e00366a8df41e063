"""Counts the Temporal Actions in a workflow's history.

The rule is Temporal Cloud's, https://docs.temporal.io/cloud/actions. These count as one Action each:

* a workflow's start (search attributes set at the start are free)
* every activity attempt ("each time an Activity is started or retried")
* every heartbeat, but short activities send none
* every timer, including those that an SDK starts for a wait with a timeout
* every UpsertSearchAttributes command, whatever it sets
* every signal
* every update that reached a worker, whether accepted or rejected
* every query

While fairness is enabled, each costs a tenth of an Action more. The history does not show queries and rejected
updates, so they are missing from the count.
"""

from collections import Counter
from collections.abc import Iterable

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

ACTION_EVENTS = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED: "start",
    EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED: "activity attempts",
    EventType.EVENT_TYPE_TIMER_STARTED: "timers",
    EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: "search attributes",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED: "signals",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED: "updates",
}


def count_actions(events: Iterable[HistoryEvent]) -> Counter[str]:
    """The number of Actions by kind."""
    counts: Counter[str] = Counter()
    for event in events:
        kind = ACTION_EVENTS.get(event.event_type)
        if kind is not None:
            # A retried activity has one started event, with the number of its last attempt.
            counts[kind] += max(1, event.activity_task_started_event_attributes.attempt)
    return counts
