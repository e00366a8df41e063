"""Plays the scenarios: sends the requests, waits for decisions, and acts as the front desk."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import date
from functools import partial

from rich.markup import escape
from temporalio.service import RPCError

from cli import render
from client import BadRequest, DeskClient, validate_request
from demo.outcomes import PlayedScenario
from demo.sandbox_control import SandboxControl
from demo.scenarios import SCENARIOS, DemoDay, Scenario, prepare_practice
from demo.snapshot import Snapshot
from domain.booking import BookingView, Status
from workflows.booking.contracts import Resolution, ResolutionKind

DECISION_TIMEOUT_SECONDS = 180.0
MESSAGES_TIMEOUT_SECONDS = 60.0
RETRY_INTERVAL_SECONDS = 0.5
INDENT = " " * 10
"""The width of the time stamp in front of each line."""


class Morning:
    """``say`` prints a line. ``seed`` starts every request id."""

    def __init__(self, sandbox_url: str, bookings: DeskClient, say: Callable[[str], None], seed: str, day: date):
        self._bookings = bookings
        self._say = say
        self._seed = seed
        self.day = DemoDay(SandboxControl(sandbox_url), day)

    async def play(self) -> list[PlayedScenario]:
        """Play every scenario in turn, those of one group at once. A repeated run gets the same bookings again."""
        prepare_practice(self.day)
        played_scenarios: list[PlayedScenario] = []
        for group in _groups(SCENARIOS):
            played_scenarios += await asyncio.gather(*(self._play_scenario(scenario) for scenario in group))
        for scenario in SCENARIOS:
            if scenario.after_all_sent is not None:
                scenario.after_all_sent(self.day)
        for played in played_scenarios:
            await self._wait_for_decision(played)
        for played in played_scenarios:
            can_approve = played.view is not None and ResolutionKind.APPROVE in played.view.resolutions
            if played.scenario.approve and can_approve:
                await self._approve(played)
        await self._wait_for_messages(played_scenarios)
        return played_scenarios

    async def _play_scenario(self, scenario: Scenario) -> PlayedScenario:
        start = self.day.at(scenario.location, scenario.local_time)
        request_id = f"{self._seed}-{scenario.name.replace(' ', '-').replace(',', '')}"
        played = PlayedScenario(scenario, request_id, start)
        if scenario.before is not None and not await self._booking_exists(request_id):
            scenario.before(self.day)
        views = await asyncio.gather(*(self._submit(played) for _ in range(scenario.copies)))
        played.view = views[0]
        self._say_outcome(played, scenario.description)
        if scenario.before is not None and scenario.after_all_sent is None:
            await self._wait_for_decision(played)
        return played

    async def _booking_exists(self, request_id: str) -> bool:
        try:
            await self._bookings.show(request_id)
        except LookupError:
            return False
        return True

    async def _submit(self, played: PlayedScenario) -> BookingView | None:
        scenario = played.scenario
        fields = {
            "request_id": played.request_id,
            "location": scenario.location,
            "service": scenario.service,
            "start": played.start.isoformat(),
            "patient": scenario.patient.request_fields(),
            "consent": {"email": True, "sms": True},
            **scenario.extra,
        }
        try:
            request = validate_request(fields)
            return await _retry_while_server_is_down(lambda: self._bookings.submit(request))
        except BadRequest as error:
            lines = escape(error.problems[0]).replace("; ", f"\n{INDENT}")
            self._say(f"[bold]{scenario.name}[/]: Holdfast does not accept the request:\n{INDENT}{lines}")
            return None

    async def _wait_for_decision(self, played: PlayedScenario) -> None:
        """Wait until the booking is no longer ``received``, for at most the timeout."""
        deadline = time.monotonic() + DECISION_TIMEOUT_SECONDS
        while played.view is not None and played.view.status is Status.RECEIVED and time.monotonic() < deadline:
            played.view = await _retry_while_server_is_down(partial(self._bookings.wait, played.request_id, 5))
            if played.view.status is not Status.RECEIVED:
                self._say_outcome(played)

    async def _approve(self, played: PlayedScenario) -> None:
        resolution = Resolution(kind=ResolutionKind.APPROVE, by="front desk")
        played.view = await _retry_while_server_is_down(lambda: self._bookings.resolve(played.request_id, resolution))
        self._say_outcome(played, "The desk approves the booking.")

    async def _wait_for_messages(self, played_scenarios: Sequence[PlayedScenario]) -> None:
        """Messages are sent in the background. Wait until every patient has got theirs, for at most the timeout."""
        deadline = time.monotonic() + MESSAGES_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            snapshot = Snapshot(self.day.control.state())
            if all(
                snapshot.count_messages(played.scenario.patient)[0] >= played.scenario.messages
                for played in played_scenarios
            ):
                return
            await asyncio.sleep(RETRY_INTERVAL_SECONDS)

    def _say_outcome(self, played: PlayedScenario, description: str = "") -> None:
        details = f"\n{INDENT}[dim]{escape(description)}[/]" if description else ""
        self._say(f"[bold]{played.scenario.name}[/]: {status_text(played)}{details}")


def status_text(played: PlayedScenario) -> str:
    """The booking's status in its color."""
    if played.view is None:
        return "[red]refused[/]"
    return render.styled_status(played.view.status)


def _groups(scenarios: Sequence[Scenario]) -> Iterator[list[Scenario]]:
    """The scenarios in order; those with the same group come together."""
    remaining = list(scenarios)
    while remaining:
        first = remaining[0]
        group = [
            scenario for scenario in remaining if scenario is first or (first.group and scenario.group == first.group)
        ]
        remaining = [scenario for scenario in remaining if scenario not in group]
        yield group


async def _retry_while_server_is_down(call: Callable[[], Awaitable[BookingView]]) -> BookingView:
    """Repeat the call until it is answered, for example while Temporal restarts. Every call here may be repeated."""
    deadline = time.monotonic() + DECISION_TIMEOUT_SECONDS
    while True:
        try:
            return await call()
        except RPCError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(RETRY_INTERVAL_SECONDS)
