"""Time and turns: nothing happens until the model lets it, so that every order of events can be played."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar

Result = TypeVar("Result")


class Fate(StrEnum):
    """How a call to the outside goes."""

    WELL = "well"
    NOTHING_DONE = "nothing_done"
    """It failed before it did anything; for a write the caller can't tell."""
    ANSWER_LOST = "answer_lost"
    LATE = "late"
    """The answer is lost and the write is committed afterwards, within the stated delay."""
    STALE = "stale"
    """A reading as old as the practice system may serve."""


@dataclass(eq=False)
class Turn:
    """Somebody waits to go on."""

    who: "Actor"
    at: datetime
    """Not before."""
    go_on: "asyncio.Future[Fate]"


@dataclass(eq=False)
class Actor:
    """One run of an activity, or a booking's own waiting; a zombie is one whose result nobody awaits any more."""

    booking: str
    step: str
    began: int
    """The turn in which it began."""
    zombie: bool = False
    sending: bool = False
    """It passed the fence and has not sent its write yet."""
    troubled: bool = False
    """Something that it asked for failed, or it was given up."""


NOBODY = Actor("nobody", "nothing", 0)
acting: ContextVar[Actor] = ContextVar("acting", default=NOBODY)


class Stage:
    def __init__(self, now: datetime) -> None:
        self.now = now
        self.turns = 0
        self.waiting: list[Turn] = []
        self.claimed_in_sleep = False
        """An attempt that nobody waited for any more took a claim."""
        self._busy = 0
        self.when_time_passes: Callable[[], None] = lambda: None

    async def turn(self, wait: float = 0) -> Fate:
        future: asyncio.Future[Fate] = asyncio.get_running_loop().create_future()
        turn = Turn(acting.get(), self.now + timedelta(seconds=wait), future)
        self.waiting.append(turn)
        try:
            return await future
        finally:
            if turn in self.waiting:
                self.waiting.remove(turn)

    async def sleep(self, seconds: float) -> None:
        if seconds:
            await self.turn(seconds)

    async def real(self, work: Awaitable[Result]) -> Result:
        """Something that takes real time."""
        self._busy += 1
        try:
            return await work
        finally:
            self._busy -= 1

    async def play(self, turn: Turn, fate: Fate = Fate.WELL) -> None:
        """Let it go on to its next turn."""
        self.turns += 1
        self.waiting.remove(turn)
        turn.who.troubled |= fate not in (Fate.WELL, Fate.STALE)
        turn.go_on.set_result(fate)
        await self.quiet()

    async def quiet(self) -> None:
        """Until everybody waits for a turn."""
        calm = 0
        while calm < CALM:
            await asyncio.sleep(0.0002 if self._busy else 0)
            calm = 0 if self._busy else calm + 1

    def pass_time(self, until: datetime) -> None:
        self.now = max(self.now, until)
        self.when_time_passes()


CALM = 15
"""Rounds of the event loop in which a finished activity, its booking and the next activity all get their say."""
