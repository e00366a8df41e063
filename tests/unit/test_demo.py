"""The demo begins a new morning without touching files that are not its own."""

import io
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from adapters.practice_file import read_practice
from cli import render
from client import BookingList
from demo import people
from demo.calendar_table import ROWS, print_calendars
from demo.command import outcome_table
from demo.outcomes import PlayedScenario, agrees_with_calendar
from demo.people import DemoPatient
from demo.plan import load_or_create_plan, save_plan
from demo.scenarios import SCENARIOS
from demo.snapshot import CalendarAppointment, CalendarBlock, CalendarLocation
from devstack import ROOT, StackError
from domain.booking import BookingView, Reason, Status
from workflows.booking.contracts import ResolutionKind


def test_new_morning_deletes_only_what_the_last_one_left(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for name in ("notes.txt", "payload.keys"):
        (tmp_path / name).touch()
    first = load_or_create_plan(tmp_path, fresh=False)
    (tmp_path / "ledger.db").touch()
    assert load_or_create_plan(tmp_path, fresh=False) == first
    assert load_or_create_plan(tmp_path, fresh=True) != first
    assert {path.name for path in tmp_path.iterdir()} == {"photos", "notes.txt", "payload.keys", "morning.json"}


@pytest.mark.parametrize("fresh", [False, True])
def test_ledger_that_is_not_of_a_demo_is_not_deleted(tmp_path: Path, fresh: bool) -> None:
    (tmp_path / "ledger.db").touch()
    with pytest.raises(StackError, match="set STATE_DIR"):
        load_or_create_plan(tmp_path, fresh)
    assert (tmp_path / "ledger.db").exists()


def test_patient_in_the_readme_is_not_in_the_demos_cast() -> None:
    cast = [person for person in vars(people).values() if isinstance(person, DemoPatient)]
    assert cast
    assert not [person for person in cast if f"+1{person.phone}" in (ROOT / "README.md").read_text()]


class CalendarWith:
    """A snapshot of a calendar that has one appointment of ours, or none."""

    def __init__(self, *appointments: CalendarAppointment) -> None:
        self._appointments = list(appointments)

    def with_reference(self, _: str) -> list[CalendarAppointment]:
        return self._appointments


def view(status: Status) -> BookingView:
    fields = {"id": "booking-x", "request_id": "x", "reference": "bk_x", "location": "oakland", "service": "cleaning"}
    return BookingView.model_validate(fields | {"status": status, "start": NINE, "updated_at": NINE})


NINE = datetime(2026, 12, 1, 17, tzinfo=UTC)
OURS = CalendarAppointment("1", "l", "o", "p", "c", NINE, NINE + timedelta(hours=1), "Visit", "bk_x", "confirmed")


@pytest.mark.parametrize(
    ("status", "appointments", "agrees"),
    [
        (Status.CONFIRMED, [OURS], True),
        (Status.CONFIRMED, [], False),
        (Status.CONFIRMED, [OURS, OURS], False),
        (Status.CONFIRMED, [replace(OURS, start=NINE + timedelta(hours=1))], False),
        (Status.HELD, [OURS], False),
        (Status.DECLINED, [], True),
        (Status.CANCELLED, [OURS], False),
        (Status.NEEDS_STAFF, [OURS], True),
    ],
)
def test_what_was_decided_by_hand_must_agree_with_the_calendar(
    status: Status, appointments: list[CalendarAppointment], agrees: bool
) -> None:
    played = PlayedScenario(SCENARIOS[0], "x", NINE, view(status))
    calendar: Any = CalendarWith(*appointments)
    assert agrees_with_calendar(played, calendar) is agrees


def test_plan_remembers_what_has_ended_as_expected(tmp_path: Path) -> None:
    plan = load_or_create_plan(tmp_path, fresh=False)
    save_plan(tmp_path, plan._replace(settled=frozenset({"a"})))
    assert load_or_create_plan(tmp_path, fresh=False).settled == {"a"}
    assert load_or_create_plan(tmp_path, fresh=True).settled == frozenset()


def test_calendar_of_three_operatories_fits_80_columns_whatever_the_titles() -> None:
    operatories = {"o1": "OP1", "o2": "OP2", "o3": "OP3"}
    location = CalendarLocation(
        "l", "Bright Harbor Dental of the Greater Oakland Hills", "America/Los_Angeles", operatories
    )
    long_title = "Periodic oral evaluation with [everything]"
    held = replace(OURS, operatory="o1", title=long_title, state="held")
    snapshot: Any = SimpleNamespace(
        locations=[location],
        appointments=[held, replace(held, operatory="o2", state="confirmed")],
        blocks=[CalendarBlock("l", "o3", NINE, NINE + timedelta(hours=1), long_title)],
    )
    screen = io.StringIO()
    print_calendars(Console(file=screen, width=80), snapshot, NINE.date())
    lines = screen.getvalue().splitlines()
    assert [line for line in lines if len(line) > 80] == []
    assert len([line for line in lines if line.startswith("│")]) == ROWS
    assert "held: Periodic ora" in screen.getvalue()


def test_table_of_outcomes_and_queue_fit_80_columns() -> None:
    detail = "The practice system refused the change, perhaps because the chart is missing there. Check the chart."
    waiting = view(Status.NEEDS_STAFF).model_copy(
        update={"detail": detail, "reason": Reason.REFUSED_BY_OFFICE, "resolutions": tuple(ResolutionKind)}
    )
    played = [PlayedScenario(scenario, "0a1b2c3d4e5f6071-" + "x" * 30, NINE, waiting) for scenario in SCENARIOS]
    outcomes = [{"ok": False, "expected": "confirmed | needs_staff:slot_taken"} for _ in played]
    screen = io.StringIO()
    console = Console(file=screen, width=80)
    console.print(outcome_table(played, outcomes))
    render.print_queue(console, BookingList([waiting], 1), read_practice(ROOT / "practice.toml"))
    lines = screen.getvalue().splitlines()
    assert [line for line in lines if len(line) > 80] == []
    assert all(any(scenario.name in line for line in lines) for scenario in SCENARIOS)


def test_patients_of_the_demo_share_a_phone_only_on_purpose() -> None:
    """Otherwise the messages of one would count for another."""
    patients = [person for person in vars(people).values() if isinstance(person, DemoPatient)]
    shared = [phone for phone, count in Counter(person.phone for person in patients).items() if count > 1]
    families = [{person.last for person in patients if person.phone == phone} for phone in shared]
    assert all(len(last_names) == 1 for last_names in families), families
