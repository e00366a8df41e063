"""What seldom changes, read again once it is old."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any


class Kept:
    """Answers by key, one reader at a time."""

    def __init__(self, lasts: timedelta) -> None:
        self._lasts = lasts.total_seconds()
        self._found: dict[str, tuple[float, Any]] = {}
        self._reading = asyncio.Lock()

    async def get(self, key: str, read: Callable[[], Awaitable[Any]]) -> Any:
        async with self._reading:
            read_at, value = self._found.get(key, (0.0, None))
            if key not in self._found or time.monotonic() - read_at > self._lasts:
                value = await read()
                self._found[key] = (time.monotonic(), value)
            return value
