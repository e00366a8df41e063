"""How the benchmarks count Actions, build their practice, and compute quantiles."""

from pathlib import Path

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import ActivityTaskStartedEventAttributes, HistoryEvent

from adapters.practice_file import read_practice
from bench.actions import count_actions
from bench.load import quantile
from bench.practice import LOCATIONS, SERVICES, practice_toml


def test_starts_activity_attempts_timers_and_updates_count_as_actions_and_nothing_else_does() -> None:
    third_attempt = ActivityTaskStartedEventAttributes(attempt=3)
    events = [
        HistoryEvent(event_type=EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED),
        HistoryEvent(event_type=EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED),
        HistoryEvent(event_type=EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED),
        HistoryEvent(
            event_type=EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED, activity_task_started_event_attributes=third_attempt
        ),
        HistoryEvent(event_type=EventType.EVENT_TYPE_TIMER_STARTED),
        HistoryEvent(event_type=EventType.EVENT_TYPE_TIMER_CANCELED),
        HistoryEvent(event_type=EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED),
        HistoryEvent(event_type=EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED),
    ]
    assert count_actions(events) == {"start": 1, "activity attempts": 3, "timers": 1, "updates": 1}


def test_the_benchmark_practice_is_valid_and_every_location_offers_every_service(tmp_path: Path) -> None:
    file = tmp_path / "practice.toml"
    file.write_text(practice_toml())
    practice = read_practice(file)
    assert all(practice.rule(location, service).providers for location in LOCATIONS for service in SERVICES)


def test_a_quantile_is_one_of_the_values() -> None:
    assert [quantile([4, 1, 3, 2], q) for q in (0, 0.5, 0.95)] == [1, 3, 4]
