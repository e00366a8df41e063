"""The morning: bring everything up, play it, look at what is really there."""

import asyncio
import json
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from temporalio.service import RPCError

from client import render
from client.bookings import BookingClient, Found
from client.edge import BadRequest, request_from
from client.session import open_session
from demo.picture import picture
from demo.scenarios import SCENARIOS, Scenario, Stage, furnish, holds_true
from demo.stack import Stack, StackError, new_seed
from demo.world import Control, World
from domain.booking import BookingView, Status
from settings import ConfigurationError, Settings, make_state_dir
from workflows.booking.messages import Resolution, ResolutionKind

PATIENCE = 180.0
"""Seconds within which every request must be decided."""
LEFT = ("morning.json", "demo.env", "*.db", "*.db-shm", "*.db-wal", "*.log")
"""What a morning leaves in its directory, but for keys, which serve the next one as well."""


@dataclass
class Played:
    scenario: Scenario
    request_id: str
    start: datetime
    view: BookingView | None = None

    @property
    def status(self) -> str:
        if self.view is None:
            return "refused:location"
        reason = f":{self.view.reason}" if self.view.reason else ""
        return f"{self.view.status}{reason}"

    @property
    def reference(self) -> str:
        return self.view.reference if self.view else ""


class Morning:
    def __init__(self, stack: Stack, bookings: BookingClient, say: Callable[[str], None], seed: str, day: date) -> None:
        self._bookings = bookings
        self._say = say
        self._seed = seed
        self.stage = Stage(Control(stack.sandbox_url), day)

    async def play(self) -> list[Played]:
        """Every scenario in turn; requests of one group at once. Sent before: the same bookings answer again."""
        furnish(self.stage)
        played: list[Played] = []
        scenarios = list(SCENARIOS)
        while scenarios:
            group = [s for s in scenarios if s is scenarios[0] or (s.together and s.together == scenarios[0].together)]
            scenarios = [s for s in scenarios if s not in group]
            played += await asyncio.gather(*(self._act(scenario) for scenario in group))
        for scenario in SCENARIOS:
            if scenario.afterwards is not None:
                scenario.afterwards(self.stage)
        await self._everything_decided(played)
        for one in played:
            if one.scenario.approve and one.view is not None and one.view.status is not Status.CONFIRMED:
                await self._approve(one)
        await self._messages_out(played)
        return played

    async def _act(self, scenario: Scenario) -> Played:
        start = self.stage.at(scenario.location, scenario.clock)
        request_id = f"{self._seed}-{scenario.name.replace(' ', '-').replace(',', '')}"
        one = Played(scenario, request_id, start)
        if scenario.before is not None and not await self._sent_before(request_id):
            scenario.before(self.stage)
        answers = await asyncio.gather(*(self._submit(one) for _ in range(scenario.copies)))
        one.view = answers[0]
        self._say(f"[bold]{scenario.name}[/]: {scenario.story} → {_coloured(one)}")
        if scenario.before is not None and scenario.afterwards is None:
            await self._decided(one)
        return one

    async def _sent_before(self, request_id: str) -> bool:
        try:
            await self._bookings.show(request_id)
        except LookupError:
            return False
        return True

    async def _submit(self, one: Played) -> BookingView | None:
        scenario = one.scenario
        content = {
            "request_id": one.request_id,
            "location": scenario.location,
            "service": scenario.service,
            "start": one.start.isoformat(),
            "patient": scenario.person.person(),
            "consent": {"email": True, "sms": True},
            **scenario.extra,
        }
        try:
            request = request_from(content)
            return await _persistently(lambda: self._bookings.submit(request))
        except BadRequest as refused:
            self._say(f"   refused at the edge: {refused.problems[0]}")
            return None

    async def _everything_decided(self, played: list[Played]) -> None:
        for one in played:
            await self._decided(one)

    async def _decided(self, one: Played) -> None:
        end = time.monotonic() + PATIENCE
        while one.view is not None and one.view.status is Status.RECEIVED and time.monotonic() < end:
            one.view = await _persistently(partial(self._bookings.wait, one.request_id, 5))
            if one.view.status is not Status.RECEIVED:
                self._say(f"[bold]{one.scenario.name}[/] → {_coloured(one)}")

    async def _approve(self, one: Played) -> None:
        decision = Resolution(kind=ResolutionKind.APPROVE, by="front desk")
        one.view = await _persistently(lambda: self._bookings.resolve(one.request_id, decision))
        self._say(f"[bold]{one.scenario.name}[/]: the desk approves → {_coloured(one)}")

    async def _messages_out(self, played: list[Played]) -> None:
        """Messages go out beside the booking: wait until those that are due are there."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            world = World(self.stage.control.state())
            due = [one for one in played if world.messages(one.scenario.person)[0] < one.scenario.messages]
            if not due:
                return
            await asyncio.sleep(0.5)


def run_demo(*, once: bool, fresh: bool, as_json: bool) -> int:
    """Exit code 0 when everything is as it should be."""
    console = Console(stderr=as_json)
    console.width = max(console.width, 120)
    state_dir = Settings().state_dir.absolute()
    try:
        if problems := make_state_dir(state_dir):
            raise ConfigurationError(problems)
        stack = Stack(state_dir, lambda text: console.print(f"[dim]{datetime.now():%H:%M:%S}[/]  {text}"))  # noqa: DTZ005
        stack.claim()
        seed, day = plan(state_dir, fresh)
        with stack:
            return asyncio.run(_run(stack, console, seed, day, once, as_json))
    except (StackError, ConfigurationError) as wrong:
        console.print(str(wrong), style="red")
        return 1


async def _run(stack: Stack, console: Console, seed: str, day: date, once: bool, as_json: bool) -> int:
    async with open_session() as session:
        morning = Morning(stack, session.bookings, stack.say, seed, day)
        played = await morning.play()
        world = World(morning.stage.control.state())
        report = _report(played, world, await _landed(session.bookings))
        _show(console, played, report, world, day)
        if as_json:
            print(json.dumps(report))
        if once:
            return 0 if report["ok"] else 1
        _addresses(console, stack, day)
        await _until_interrupted()
    return 0


def plan(state_dir: Path, fresh: bool) -> tuple[str, date]:
    """The morning begun before, while its day is to come; else a new one, without what the last one left.

    Raises StackError where there is a ledger of somebody else: it is nobody's to delete.
    """
    kept_in = state_dir / "morning.json"
    today = datetime.now(UTC).date()
    if not kept_in.exists() and (state_dir / "ledger.db").exists():
        raise StackError(f"{state_dir} holds a ledger that is no demo's; set STATE_DIR to another directory")
    if not fresh and kept_in.exists():
        kept = json.loads(kept_in.read_text())
        if date.fromisoformat(kept["day"]) > today:
            return kept["seed"], date.fromisoformat(kept["day"])
    for left in (path for pattern in LEFT for path in state_dir.glob(pattern)):
        left.unlink()
    day = today + timedelta(days=3)
    while day.isoweekday() > 5:
        day += timedelta(days=1)
    seed = new_seed()
    kept_in.write_text(json.dumps({"seed": seed, "day": day.isoformat()}))
    return seed, day


async def _landed(bookings: BookingClient) -> set[str]:
    """References of all that are in a calendar, those of whoever looked around among them."""
    return {view.reference for view in (await bookings.find(limit=1000)).views if view.appointment_id}


def _report(played: list[Played], world: World, landed: set[str]) -> dict[str, Any]:
    outcomes = []
    races = [one for one in played if one.scenario.together]
    one_winner = sum(one.status == "confirmed" for one in races) == 1
    for one in played:
        ok = holds_true(one.scenario, one.reference, one.status, one.start, world)
        outcomes.append(
            {
                "scenario": one.scenario.name,
                "system": one.scenario.system,
                "request_id": one.request_id,
                "status": one.view.status.value if one.view else "refused",
                "reason": one.status.partition(":")[2] or None,
                "expected": one.scenario.expected,
                "ok": ok and (one_winner or one not in races),
            }
        )
    calendar = world.calendar(landed)
    fired = all(fault["fired"] for fault in world.state["faults"])
    ok = fired and all(outcome["ok"] for outcome in outcomes) and not any(calendar.values())
    return {"ok": ok, "outcomes": outcomes, "calendar": calendar}


def _show(console: Console, played: list[Played], report: dict[str, Any], world: World, day: date) -> None:
    console.print()
    picture(console, world, day)
    table = Table(title="What happened to each request", title_justify="left")
    for column in ("request", "where", "outcome", "why", "as it should be"):
        table.add_column(column)
    for one, outcome in zip(played, report["outcomes"], strict=True):
        why = one.view.detail or "" if one.view else "there is no such location"
        mark = "[green]✓[/]" if outcome["ok"] else f"[red]✗ expected {outcome['expected']}[/]"
        where = f"{one.scenario.location} {one.start:%H:%M}"
        table.add_row(one.scenario.name, where, _coloured(one), why, mark)
    console.print(table)
    waiting = [one.view for one in played if one.view and one.view.resolutions]
    render.bookings(console, Found(waiting, len(waiting)), "Front desk's queue")
    counts = ", ".join(f"{count} {name}" for name, count in report["calendar"].items())
    console.print(f"Calendar: {counts}. Emails: {len(world.state['emails'])}, texts: {len(world.state['texts'])}.")


def _addresses(console: Console, stack: Stack, day: date) -> None:
    console.print(f"\nTemporal UI          {stack.temporal_ui}/namespaces/default/workflows")
    console.print(f"Calendar, messages   {stack.sandbox_url}/?date={day}")
    console.print(
        f"Command line         . {stack.state_dir}/demo.env; {sys.executable} starter.py exceptions", soft_wrap=True
    )
    console.print("Everything stays up; Ctrl-C ends it, and the next `make demo` carries on from here.")


def _coloured(one: Played) -> str:
    if one.view is None:
        return "[red]refused[/]"
    return f"[{render.STYLES[one.view.status]}]{one.view.status}[/]"


async def _persistently(call: Callable[[], Awaitable[BookingView]]) -> BookingView:
    """Through a restart of the server: the same call again until it answers."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return await call()
        except RPCError:
            if time.monotonic() > end:
                raise
            await asyncio.sleep(0.5)


async def _until_interrupted() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
