"""Waiting out a vendor's rate limit, where no workflow retries the call."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from adapters.errors import RateLimited

Result = TypeVar("Result")

DEFAULT_WAIT = timedelta(seconds=5)
"""How long to wait if the vendor does not say."""
MAX_WAIT = timedelta(seconds=60)
"""Somebody is waiting at the command line. A vendor that asks for more than this is not waited for."""


async def wait_out_rate_limit(call: Callable[[], Awaitable[Result]]) -> Result:
    """The result of ``call``, repeated once after the wait that the vendor asks for. Raises what ``call`` raises."""
    try:
        return await call()
    except RateLimited as limited:
        wait = DEFAULT_WAIT if limited.retry_after is None else limited.retry_after
        if wait > MAX_WAIT:
            raise
    await asyncio.sleep(wait.total_seconds())
    return await call()
