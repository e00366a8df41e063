"""Shares one read among all callers that ask for the same thing at the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")

MAX_WAIT_FOR_PREVIOUS_READ = 1.0
"""Seconds. After this the next read starts although the previous one still hangs."""


class SharedReads(Generic[Result]):
    """At most one read per key at a time. Its result goes to every caller that asked before it began.

    A caller that arrives while a read is running waits for the next read. So no result is older than the call that
    asked for it: a claim acquired, or a write answered, before the call is always visible to the read.
    """

    def __init__(self) -> None:
        self._next: dict[Hashable, asyncio.Task[Result]] = {}
        self._running: dict[Hashable, asyncio.Task[Any]] = {}

    async def __call__(self, key: Hashable, read: Callable[[], Awaitable[Result]]) -> Result:
        task = self._next.get(key)
        if task is None:
            task = self._next[key] = asyncio.create_task(self._read_next(key, read))
            task.add_done_callback(_retrieve_exception)
        # Shielded: a caller that is cancelled must not cancel the read for the others.
        return await asyncio.shield(task)

    async def _read_next(self, key: Hashable, read: Callable[[], Awaitable[Result]]) -> Result:
        previous = self._running.get(key)
        if previous is not None:
            await asyncio.wait([previous], timeout=MAX_WAIT_FOR_PREVIOUS_READ)
        # From here on new callers need a new read, so this one leaves the queue before it begins.
        this_read = self._running[key] = self._next.pop(key)
        try:
            return await read()
        finally:
            if self._running.get(key) is this_read:
                del self._running[key]


def _retrieve_exception(task: asyncio.Task[Any]) -> None:
    """Keep asyncio from warning about an exception that no caller is left to receive."""
    if not task.cancelled():
        task.exception()
