"""The ``demo`` command: start the stack, play the morning, and show what happened."""

import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from rich.markup import escape
from rich.table import Table

from cli import render
from cli.terminal import SafeConsole
from client import BookingList, DeskClient, open_session
from demo.calendar_table import print_calendars
from demo.morning import Morning, status_text
from demo.outcomes import PlayedScenario, build_report
from demo.plan import MorningPlan, load_or_create_plan, save_plan
from demo.snapshot import Snapshot
from devstack import DevStack, StackError
from domain.practice import Practice
from runtime.logs import configure_logging
from settings import ConfigurationError, Settings, load_settings, make_state_dir

MAX_BOOKINGS = 1000


def run_demo(*, once: bool, fresh: bool, as_json: bool) -> int:
    """Returns the exit code: 0 if everything ended as expected."""
    console = SafeConsole(stderr=as_json)
    state_dir = Settings().state_dir.absolute()
    try:
        if problems := make_state_dir(state_dir):
            raise ConfigurationError(problems)
        stack = DevStack(state_dir, lambda text: console.print(f"[dim]{datetime.now():%H:%M:%S}[/]  {text}"))  # noqa: DTZ005
        stack.lock_state_dir()  # before the plan, which may delete files of an earlier demo
        plan = load_or_create_plan(state_dir, fresh)
        with stack:
            stack.write_environment_file(state_dir / "demo.env")
            return asyncio.run(_play(stack, console, plan, once, as_json))
    except (StackError, ConfigurationError) as error:
        console.print(escape(str(error)), style="red", soft_wrap=True)
        return 1


async def _play(stack: DevStack, console: SafeConsole, plan: MorningPlan, once: bool, as_json: bool) -> int:
    settings = load_settings()
    configure_logging(settings.log_format, "WARNING")
    async with open_session(settings) as session:
        morning = Morning(stack.sandbox_url, session.desk, stack.announce, plan.seed, plan.day)
        played_scenarios = await morning.play()
        snapshot = Snapshot(morning.day.control.state())
        references = await _references_with_appointment(session.desk)
        report = build_report(played_scenarios, snapshot, references, plan.settled)
        as_expected = {outcome["request_id"] for outcome in report["outcomes"] if outcome["ok"]}
        save_plan(stack.state_dir, plan._replace(settled=plan.settled | as_expected))
        _print_results(console, session.practice, played_scenarios, report, snapshot, plan.day)
        if as_json:
            print(json.dumps(report))
        if once:
            return 0 if report["ok"] else 1
        _print_addresses(console, stack, plan.day, snapshot)
        await _wait_for_interrupt()
    return 0


async def _references_with_appointment(bookings: DeskClient) -> set[str]:
    """Of all bookings, also those that somebody made by hand while the demo runs."""
    return {view.reference for view in (await bookings.find(limit=MAX_BOOKINGS)).views if view.appointment_id}


def _print_results(
    console: SafeConsole,
    practice: Practice,
    played_scenarios: Sequence[PlayedScenario],
    report: dict[str, Any],
    snapshot: Snapshot,
    day: date,
) -> None:
    console.print()
    print_calendars(console, snapshot, day)
    console.print(outcome_table(played_scenarios, report["outcomes"]))
    open_exceptions = [played.view for played in played_scenarios if played.view and played.view.resolutions]
    render.print_queue(console, BookingList(open_exceptions, len(open_exceptions)), practice)
    problems = ", ".join(f"{count} {name}" for name, count in report["calendar"].items())
    emails, texts = len(snapshot.state["emails"]), len(snapshot.state["texts"])
    console.print(f"Calendar: {problems}. Sent: {emails} emails, {texts} texts.")


def outcome_table(played_scenarios: Sequence[PlayedScenario], outcomes: Sequence[dict[str, Any]]) -> Table:
    """Two lines for each request, so that the table fits into 80 columns."""
    table = Table(title="What happened to each request", title_justify="left")
    table.add_column("Request", no_wrap=True)
    table.add_column("Outcome")
    table.add_column("OK")
    for played, outcome in zip(played_scenarios, outcomes, strict=True):
        detail = played.view.detail or "" if played.view else "This location does not exist."
        if not outcome["ok"]:
            detail += f" Expected: {outcome['expected']}, with matching calendar, chart and messages."
        table.add_row(
            f"{played.scenario.name}\n[dim]{played.scenario.location} {played.start:%H:%M}[/]",
            f"{status_text(played)}\n[dim]{escape(detail)}[/]",
            "[green]✓[/]" if outcome["ok"] else "[red]✗[/]",
        )
    return table


def _print_addresses(console: SafeConsole, stack: DevStack, day: date, snapshot: Snapshot) -> None:
    """What to open, for whom it is, and how to try something. Addresses are never broken."""
    environment_file = f"{stack.state_dir}/demo.env"
    lines = (
        "",
        "[bold]As the front desk[/], in a second terminal:",
        f"  . {environment_file}",
        f"  {sys.executable} starter.py exceptions",
        "  Without the first line, commands look for another Temporal and other keys.",
        "  The same holds for a request of your own: starter.py submit FILE.",
        "[bold]As the patient[/]: the link in every message. The newest one is",
        f"  {snapshot.newest_link()}",
        "[bold]As the developer[/]: nobody at a practice sees these.",
        f"  Calendars and messages  {stack.sandbox_url}/?date={day}",
        f"  Temporal's UI           {stack.temporal_ui_url}/namespaces/default/workflows",
        "",
        "Everything keeps running. Press Ctrl-C to stop.",
        "The next `make demo` continues from here.",
    )
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False)


async def _wait_for_interrupt() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
