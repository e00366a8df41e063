"""What the benchmark counts."""

from pathlib import Path

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import ActivityTaskStartedEventAttributes, HistoryEvent

from adapters.practice_file import read_practice
from bench.clinic import LOCATIONS, SERVICES, practice_file
from bench.counts import actions
from bench.load import quantile


def test_every_attempt_timer_and_update_is_an_action_and_bookkeeping_is_none() -> None:
    retried = ActivityTaskStartedEventAttributes(attempt=3)
    events = [
        HistoryEvent(event_type=EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED),
        HistoryEvent(event_type=EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED),
        HistoryEvent(event_type=EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED),
        HistoryEvent(
            event_type=EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED, activity_task_started_event_attributes=retried
        ),
        HistoryEvent(event_type=EventType.EVENT_TYPE_TIMER_STARTED),
        HistoryEvent(event_type=EventType.EVENT_TYPE_TIMER_CANCELED),
        HistoryEvent(event_type=EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED),
        HistoryEvent(event_type=EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED),
    ]
    assert actions(events) == {"start": 1, "activity attempts": 3, "timers": 1, "updates": 1}


def test_the_measured_practice_can_be_read_and_offers_every_service_everywhere(tmp_path: Path) -> None:
    file = tmp_path / "practice.toml"
    file.write_text(practice_file())
    practice = read_practice(file)
    assert all(practice.rule(location, service).providers for location in LOCATIONS for service in SERVICES)


def test_a_quantile_is_one_of_the_values() -> None:
    assert [quantile([4, 1, 3, 2], q) for q in (0, 0.5, 0.95)] == [1, 3, 4]
