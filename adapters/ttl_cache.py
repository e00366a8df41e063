"""What seldom changes, read again once it is old."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import structlog

from adapters.errors import OutsideError

log = structlog.get_logger(__name__)

TRIED_AGAIN_AFTER = timedelta(seconds=30)


class StaleOkCache:
    """Answers by key, one reader a key. What can't be read again stands as it was, until it can."""

    def __init__(self, lasts: timedelta) -> None:
        self._lasts = lasts
        self._found: dict[str, tuple[float, Any]] = {}
        """Until when it is good, and what it is."""
        self._reading: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def get(self, key: str, read: Callable[[], Awaitable[Any]]) -> Any:
        async with self._reading[key]:
            good_until, value = self._found.get(key, (0.0, None))
            if key in self._found and time.monotonic() <= good_until:
                return value
            lasts = self._lasts
            try:
                value = await read()
            except OutsideError as failure:
                if key not in self._found:
                    raise
                log.warning("kept what could not be read again", what=key, error=type(failure).__name__)
                lasts = min(lasts, TRIED_AGAIN_AFTER)
            self._found[key] = (time.monotonic() + lasts.total_seconds(), value)
            return value
