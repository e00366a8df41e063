"""What a booking costs: history events and Temporal Actions.

Actions as Temporal Cloud bills them, https://docs.temporal.io/cloud/actions: a workflow's start (search attributes
given with it are free); every activity attempt ("each time an Activity is started or retried"; heartbeats too, but a
quick activity sends none); every timer, also those that an SDK starts for a wait with a timeout; every
UpsertSearchAttributes command, whatever it sets; every signal; every update that reached a worker, accepted or
rejected; every query. Fairness adds a tenth of an action to each while it is enabled. The history does not show
queries and rejected updates: whoever asks adds them.
"""

from collections import Counter
from collections.abc import Iterable

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

ACTIONS = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED: "start",
    EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED: "activity attempts",
    EventType.EVENT_TYPE_TIMER_STARTED: "timers",
    EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: "search attributes",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED: "signals",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED: "updates",
}


def actions(events: Iterable[HistoryEvent]) -> Counter[str]:
    found: Counter[str] = Counter()
    for event in events:
        what = ACTIONS.get(event.event_type)
        if what is not None:
            found[what] += max(1, event.activity_task_started_event_attributes.attempt)
    return found
