"""One reading for all who ask at once."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")

PATIENCE = 1.0
"""Seconds after which the next reading begins though the one before it still hangs."""


class SharedReads(Generic[Result]):
    """At most one reading a key at a time, shared by all who asked before it began.

    Whoever asks while a reading is under way waits for the next one: no answer is older than its question,
    so that a claim taken, or a write answered, before the call is always seen by the reading.
    """

    def __init__(self) -> None:
        self._waiting: dict[Hashable, asyncio.Task[Result]] = {}
        self._running: dict[Hashable, asyncio.Task[Any]] = {}

    async def __call__(self, key: Hashable, read: Callable[[], Awaitable[Result]]) -> Result:
        task = self._waiting.get(key)
        if task is None:
            task = self._waiting[key] = asyncio.create_task(self._read_next(key, read))
            task.add_done_callback(_retrieve)
        return await asyncio.shield(task)

    async def _read_next(self, key: Hashable, read: Callable[[], Awaitable[Result]]) -> Result:
        before = self._running.get(key)
        if before is not None:
            await asyncio.wait([before], timeout=PATIENCE)
        mine = self._running[key] = self._waiting.pop(key)
        try:
            return await read()
        finally:
            if self._running.get(key) is mine:
                del self._running[key]


def _retrieve(task: asyncio.Task[Any]) -> None:
    """Whoever asked may have been cancelled; a failure is then nobody's."""
    if not task.cancelled():
        task.exception()
