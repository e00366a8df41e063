"""How many calls to a vendor may leave in a short time."""

import asyncio
from pathlib import Path

import pytest

from adapters.ascend.config import AscendConfig
from adapters.ascend.transport import Transport
from adapters.nexhealth import RECEIVER_SHARE, Account, NexHealthSystem, worker_share
from adapters.nexhealth.account import MAX_CALENDAR_READS_PER_SECOND, MAX_CALLS_PER_SECOND
from adapters.practice_file import read_practice
from devstack import ROOT, sandbox_settings
from runtime.build import open_connections
from settings import load_settings


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


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_workers_and_the_receiver_together_stay_within_the_limits_of_the_key(workers: int) -> None:
    """The receiver calls seldom, so it takes a small part, and none of it grows with the number of workers."""
    receiver, worker = Account(RECEIVER_SHARE), Account(worker_share(workers))
    assert receiver.calls_per_second + workers * worker.calls_per_second == pytest.approx(MAX_CALLS_PER_SECOND)
    assert receiver.calls_per_second == MAX_CALLS_PER_SECOND / 10
    rates = [account.calendar_limiter.max_rate / account.calendar_limiter.time_period for account in (receiver, worker)]
    assert rates[0] + workers * rates[1] <= MAX_CALENDAR_READS_PER_SECOND
    assert rates[1] > rates[0]


async def test_receiver_of_webhooks_takes_only_its_own_share(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    practice = read_practice(ROOT / "practice.toml")
    for name, value in {**sandbox_settings("http://127.0.0.1:1"), "STATE_DIR": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NEXHEALTH_WORKERS", "2")
    rates = []
    for for_webhooks in (True, False):
        async with open_connections(load_settings(), practice, for_webhooks=for_webhooks) as (systems, _):
            nexhealth = [system for system in systems.values() if isinstance(system, NexHealthSystem)]
            assert len(nexhealth) == len(systems) or not for_webhooks
            rates += [{system._transport._account.calls_per_second for system in nexhealth}]
    assert rates == [{1.5}, {6.75}]
