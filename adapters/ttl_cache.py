"""A cache for data that rarely changes."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import structlog

from adapters.errors import OutsideError

log = structlog.get_logger(__name__)

READ_AGAIN_AFTER = timedelta(seconds=30)
"""How long a value is kept that could not be refreshed, or of which a part could not be read."""


class StaleOkCache:
    """Keeps values by key for a time to live. A value that cannot be refreshed stays in use until it can.

    Only one caller at a time reads a key.
    """

    def __init__(self, ttl: timedelta) -> None:
        self._ttl = ttl
        self._entries: dict[str, tuple[float, Any]] = {}
        """By key: when the value expires, on the monotonic clock, and the value."""
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def get(self, key: str, read: Callable[[], Awaitable[Any]]) -> Any:
        """The value of ``key``. Raises what ``read`` raises if the key was never read before."""
        async with self._locks[key]:
            expires_at, value = self._entries.get(key, (0.0, None))
            if key in self._entries and time.monotonic() <= expires_at:
                return value
            ttl = self._ttl
            try:
                value = await read()
            except OutsideError as failure:
                if key not in self._entries:
                    raise
                log.warning("stale_value_kept", key=key, error=type(failure).__name__)
                ttl = min(ttl, READ_AGAIN_AFTER)
            self._entries[key] = (time.monotonic() + ttl.total_seconds(), value)
            return value

    def read_again_soon(self, key: str) -> None:
        """A part of the value of ``key`` cannot be read, so keep it only for a short time: a correction counts soon."""
        expires_at, value = self._entries[key]
        self._entries[key] = (min(expires_at, time.monotonic() + READ_AGAIN_AFTER.total_seconds()), value)
