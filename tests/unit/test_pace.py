"""How many calls to a vendor may leave in a short time."""

import asyncio

import pytest

from adapters.ascend.config import AscendConfig
from adapters.ascend.transport import Transport


@pytest.mark.parametrize(("per_second", "burst"), [(0.5, 2), (1, 2), (8, 6), (15, 11), (100, 75)])
async def test_burst_of_calls_to_ascend_stays_below_the_rate_of_a_second(per_second: float, burst: int) -> None:
    """With the burst, no second has more than its rate and three quarters of it, and at least two calls."""
    config = AscendConfig("https://vendor.example", "id", "secret", "organization", requests_per_second=per_second)
    limiter = Transport(config)._limiter
    taken = 0
    while limiter.has_capacity() and taken <= 200:
        await limiter.acquire()
        taken += 1
        await asyncio.sleep(0)
    assert burst <= taken <= burst + 1 + per_second / 10
