"""Polling for a condition that another task or process makes true."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

POLL_INTERVAL_SECONDS = 0.05


async def poll(condition: Callable[[], Any], seconds: float = 20) -> bool:
    """Wait until the condition is true, for about this many seconds. Return whether it became true."""
    for _ in range(int(seconds / POLL_INTERVAL_SECONDS)):
        if condition():
            return True
        await asyncio.sleep(POLL_INTERVAL_SECONDS)
    return False


async def wait_until(condition: Callable[[], Any], seconds: float = 20) -> None:
    """Fail the test if the condition does not become true in time."""
    if not await poll(condition, seconds):
        pytest.fail(f"the condition did not become true within {seconds} s")
