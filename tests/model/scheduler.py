"""Controls time and the order of events: nothing happens until the model lets it, so every order can be tested."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar

Result = TypeVar("Result")

CALM_ROUNDS = 15
"""Event loop rounds after which a finished activity, its booking and the next activity have all run."""


class Outcome(StrEnum):
    """What happens to one call to a system outside."""

    OK = "ok"
    NOT_DONE = "not_done"
    """It failed before it had any effect. The caller of a write cannot tell."""
    ANSWER_LOST = "answer_lost"
    """The write is committed, and its answer is lost."""
    COMMITTED_LATE = "committed_late"
    """The answer is lost, and the write is committed afterwards, within the stated delay."""
    STALE_READ = "stale_read"
    """The reading is as old as the practice system may serve."""


@dataclass(eq=False)
class Pause:
    """An actor waits for the model to let it continue."""

    actor: "Actor"
    not_before: datetime
    outcome: "asyncio.Future[Outcome]"


@dataclass(eq=False)
class Actor:
    """One attempt of an activity, or a booking's own waiting. Nobody awaits the result of a zombie any more."""

    booking: str
    activity: str
    started_at_step: int
    zombie: bool = False
    sending: bool = False
    """It has passed the fence and has not sent its write yet."""
    had_trouble: bool = False
    """One of its calls failed, or its attempt was abandoned."""


NOBODY = Actor("nobody", "nothing", 0)
current_actor: ContextVar[Actor] = ContextVar("current_actor", default=NOBODY)


class Scheduler:
    """Lets one actor continue at a time. It is also the clock of the activities."""

    def __init__(self, now: datetime) -> None:
        self.time = now
        self.steps = 0
        self.pauses: list[Pause] = []
        self.zombie_acquired_claim = False
        """An attempt that nobody waited for any more acquired a claim."""
        self.on_time_advanced: Callable[[], None] = lambda: None
        self._real_calls = 0

    def now(self) -> datetime:
        return self.time

    async def sleep(self, duration: timedelta) -> None:
        if duration:
            await self.pause(duration)

    async def pause(self, duration: timedelta = timedelta(0)) -> Outcome:
        """Wait until the model lets the current actor continue, ``duration`` from now at the earliest."""
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        pause = Pause(current_actor.get(), self.time + duration, future)
        self.pauses.append(pause)
        try:
            return await future
        finally:
            if pause in self.pauses:
                self.pauses.remove(pause)

    async def run_real(self, work: Awaitable[Result]) -> Result:
        """Run something that takes real time, such as a call to the ledger."""
        self._real_calls += 1
        try:
            return await work
        finally:
            self._real_calls -= 1

    async def resume(self, pause: Pause, outcome: Outcome = Outcome.OK) -> None:
        """Let the actor continue until its next pause."""
        self.steps += 1
        self.pauses.remove(pause)
        pause.actor.had_trouble |= outcome not in (Outcome.OK, Outcome.STALE_READ)
        pause.outcome.set_result(outcome)
        await self.wait_until_all_paused()

    async def wait_until_all_paused(self) -> None:
        calm_rounds = 0
        while calm_rounds < CALM_ROUNDS:
            await asyncio.sleep(0.0002 if self._real_calls else 0)
            calm_rounds = 0 if self._real_calls else calm_rounds + 1

    def advance_time(self, until: datetime) -> None:
        self.time = max(self.time, until)
        self.on_time_advanced()
