"""How each scenario ended, whether that is right, and the report of the whole morning."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from demo.scenarios import Scenario
from demo.snapshot import CONFIRMED, HELD, Snapshot
from domain.booking import BookingView, Status


@dataclass
class PlayedScenario:
    scenario: Scenario
    request_id: str
    start: datetime
    view: BookingView | None = None
    """The booking as last seen; None if the request was refused because its location does not exist."""

    @property
    def outcome(self) -> str:
        """``status`` or ``status:reason``, as in ``Scenario.expected``."""
        if self.view is None:
            return "refused:location"
        reason = f":{self.view.reason}" if self.view.reason else ""
        return f"{self.view.status}{reason}"

    @property
    def reference(self) -> str:
        return self.view.reference if self.view else ""


def build_report(
    played_scenarios: Sequence[PlayedScenario],
    snapshot: Snapshot,
    references: set[str],
    settled: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """What ``demo --json`` prints.

    ``references`` are those of all bookings that have an appointment. ``settled`` are request ids that an earlier run
    has seen end as expected: somebody may have decided on them since, so only the calendar must agree.
    """
    group = {played.request_id for played in played_scenarios if played.scenario.group}
    one_winner = _has_one_winner(played_scenarios) or group <= settled
    outcomes = [
        {
            "scenario": played.scenario.name,
            "system": played.scenario.system,
            "request_id": played.request_id,
            "status": played.view.status.value if played.view else "refused",
            "reason": played.outcome.partition(":")[2] or None,
            "expected": played.scenario.expected,
            "ok": (is_as_expected(played, snapshot) and (one_winner or not played.scenario.group))
            or (played.request_id in settled and agrees_with_calendar(played, snapshot)),
        }
        for played in played_scenarios
    ]
    calendar = snapshot.count_problems(references)
    every_fault_happened = all(fault["fired"] for fault in snapshot.state["faults"])
    ok = every_fault_happened and all(outcome["ok"] for outcome in outcomes) and not any(calendar.values())
    return {"ok": ok, "outcomes": outcomes, "calendar": calendar}


def agrees_with_calendar(played: PlayedScenario, snapshot: Snapshot) -> bool:
    """Whether the calendar has what the booking says, whoever decided it: the appointment, or nothing."""
    if played.view is None:
        return True
    appointments = snapshot.with_reference(played.reference)
    if played.view.status in (Status.CONFIRMED, Status.HELD):
        is_confirmed = played.view.status is Status.CONFIRMED
        return (
            len(appointments) == 1
            and appointments[0].start == played.view.start
            and (appointments[0].state == (CONFIRMED if is_confirmed else HELD))
        )
    return not appointments or not played.view.status.is_final


def _has_one_winner(played_scenarios: Iterable[PlayedScenario]) -> bool:
    """Of the requests for the same slot, exactly one must be confirmed."""
    return sum(played.outcome == "confirmed" for played in played_scenarios if played.scenario.group) == 1


def is_as_expected(played: PlayedScenario, snapshot: Snapshot) -> bool:
    """Whether the outcome is an expected one, and the calendar, charts and messages agree with it."""
    scenario, outcome, reference = played.scenario, played.outcome, played.reference
    if outcome not in scenario.expected.split(" | "):
        return False
    if snapshot.count_messages(scenario.patient) != (scenario.messages, scenario.messages):
        return False
    if outcome == "confirmed":
        return snapshot.has_appointment(reference, scenario.patient, played.start, confirmed=True)
    if outcome == "needs_staff:special_request":
        return snapshot.has_appointment(reference, scenario.patient, played.start, confirmed=False)
    return not reference or not snapshot.with_reference(reference)
