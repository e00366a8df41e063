"""What all connections under one API key share: NexHealth counts by key."""

import asyncio
import base64
import binascii
import json
import time
from collections.abc import Awaitable, Callable

from aiolimiter import AsyncLimiter

FASTEST = 15.0
"""Calls a second: patients and appointments are limited to 1,000 a minute, everything together to 100 a second."""
FASTEST_CALENDAR = 10.0
"""Readings of appointments a second, at most."""
BURST = 0.25
"""Seconds' worth of calls that may be made at once."""
REFRESH_EARLY, TOKEN_FOR = 300.0, 3000.0
"""Seconds: a token is replaced so long before its end, and at the latest after so long."""


class Account:
    """One pace and one token. ``processes``: so many use the key at the same time, each its part of the pace."""

    def __init__(self, processes: int = 1) -> None:
        self.pace = limiter(FASTEST / processes)
        self.calendar_pace = limiter(FASTEST_CALENDAR / processes)
        self._token: str | None = None
        self._token_ends = 0.0
        self._refreshing = asyncio.Lock()

    async def token(self, new: Callable[[], Awaitable[str]], *, instead_of: str | None = None) -> str:
        """The token in use; a new one where there is none, where it ends, or where this one was refused."""
        async with self._refreshing:
            if self._token in (None, instead_of) or time.monotonic() > self._token_ends:
                self._token = await new()
                self._token_ends = time.monotonic() + lasts(self._token)
            assert self._token is not None
            return self._token


def limiter(per_second: float) -> AsyncLimiter:
    """Never more than ``per_second`` in any one second, the first burst included."""
    steady = per_second / (1 + BURST)
    return AsyncLimiter(max(1.0, steady * BURST), BURST) if steady * BURST >= 1 else AsyncLimiter(1, 1 / steady)


def lasts(token: str) -> float:
    """Seconds for which a token is to be used, from its own claims: no clock of ours against theirs."""
    try:
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        lasts = float(claims["exp"]) - float(claims["iat"])
    except (IndexError, KeyError, TypeError, ValueError, binascii.Error):
        return TOKEN_FOR
    return min(max(lasts - REFRESH_EARLY, lasts / 2), TOKEN_FOR)
