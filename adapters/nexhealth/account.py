"""What all connections under one API key share, because NexHealth counts calls by key."""

import asyncio
import base64
import binascii
import json
import math
import time
from collections.abc import Awaitable, Callable

from aiolimiter import AsyncLimiter

MAX_CALLS_PER_SECOND = 15.0
"""NexHealth's documents allow 1,000 calls a minute for patients and appointments, and 100 a second in all."""
MAX_CALENDAR_READS_PER_SECOND = 10.0
"""NexHealth's limit for GET /appointments."""
RECEIVER_SHARE = 0.1
"""The part of both limits that is set aside for the receiver of webhooks, which calls seldom. Workers divide the rest.
"""
BURST_SECONDS = 0.25
"""Calls that this many seconds allow may be made at once."""
TOKEN_RENEWAL_SECONDS = 300.0
"""A token is replaced this long before it ends."""
MAX_TOKEN_SECONDS = 3000.0
"""A token is replaced after this time in any case. NexHealth's own sample does so after 50 minutes."""


class Account:
    """One rate limit and one token for all connections under one API key in this process."""

    def __init__(self, share: float = 1.0) -> None:
        """``share``: the part of the key's rate limits that this process may use."""
        self.calls_per_second = MAX_CALLS_PER_SECOND * share
        self.limiter = rate_limiter(self.calls_per_second)
        self.calendar_limiter = rate_limiter(MAX_CALENDAR_READS_PER_SECOND * share)
        self._token: str | None = None
        self._token_expires_at = 0.0
        """By the monotonic clock."""
        self._renewing_token = asyncio.Lock()

    async def token(self, request_token: Callable[[], Awaitable[str]], *, refused_token: str | None = None) -> str:
        """The current token. Requests a new one if there is none, if it is about to end, or if it was refused.

        ``refused_token``: the token that NexHealth refused. If another call has already replaced it, that
        replacement is returned.
        """
        async with self._renewing_token:
            if self._token in (None, refused_token) or time.monotonic() > self._token_expires_at:
                self._token = await request_token()
                self._token_expires_at = time.monotonic() + usable_seconds(self._token)
            assert self._token is not None
            return self._token


def worker_share(workers: int) -> float:
    """The part of the key's rate limits that each of this many workers may use."""
    return (1 - RECEIVER_SHARE) / workers


def rate_limiter(per_second: float) -> AsyncLimiter:
    """Never more than ``per_second`` calls in any one second, including a first burst."""
    steady = per_second / (1 + BURST_SECONDS)
    if steady * BURST_SECONDS >= 1:
        return AsyncLimiter(max(1.0, steady * BURST_SECONDS), BURST_SECONDS)
    return AsyncLimiter(1, 1 / steady)


def usable_seconds(token: str) -> float:
    """How long to use a token, from its own claims. Both times are NexHealth's, so our clock does not matter."""
    try:
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        lifetime = float(claims["exp"]) - float(claims["iat"])
    except (IndexError, KeyError, TypeError, ValueError, OverflowError, RecursionError, binascii.Error):
        return MAX_TOKEN_SECONDS
    if not math.isfinite(lifetime):
        return MAX_TOKEN_SECONDS
    return min(max(lifetime - TOKEN_RENEWAL_SECONDS, lifetime / 2), MAX_TOKEN_SECONDS)
