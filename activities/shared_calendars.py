"""One reading of the calendar for everybody who looks for alternatives."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from datetime import timedelta

from domain.calendar import Calendar

MAX_AGE = timedelta(seconds=5)
"""How long a finished reading is used. What is offered from it is checked again before it is booked."""


class SharedCalendars:
    """At most one reading of a key at a time. Whoever asks meanwhile, or shortly after, gets the same.

    Only for alternatives: a re-check before a write needs a reading that began after its claim.
    """

    def __init__(self) -> None:
        self._readings: dict[Hashable, tuple[asyncio.Task[Calendar], float | None]] = {}
        """By key: the reading, and when it ended, on the monotonic clock."""

    async def get(self, key: Hashable, read: Callable[[], Awaitable[Calendar]]) -> Calendar:
        """Raises what ``read`` raises. Everybody who waits for a reading shares its failure."""
        self._drop_old()
        if key not in self._readings:
            task = asyncio.create_task(_run(read))
            self._readings[key] = (task, None)
            task.add_done_callback(lambda ended: self._record_end(key, ended))
        # Shielded: a caller that is cancelled must not cancel the reading for the others.
        return await asyncio.shield(self._readings[key][0])

    def _record_end(self, key: Hashable, task: asyncio.Task[Calendar]) -> None:
        if task.cancelled() or task.exception() is not None:
            del self._readings[key]
        else:
            self._readings[key] = (task, time.monotonic())

    def _drop_old(self) -> None:
        limit = time.monotonic() - MAX_AGE.total_seconds()
        old = [key for key, (_, ended_at) in self._readings.items() if ended_at is not None and ended_at < limit]
        for key in old:
            del self._readings[key]


async def _run(read: Callable[[], Awaitable[Calendar]]) -> Calendar:
    return await read()
