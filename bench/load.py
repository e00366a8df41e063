"""Runs work at a given load and times it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

Work = Callable[[], Awaitable[object]]


@dataclass
class LoadResult:
    latencies: list[float] = field(default_factory=list)
    """Seconds, one for each piece of work."""
    seconds: float = 0
    """Wall-clock time of everything together."""

    def __iadd__(self, other: "LoadResult") -> "LoadResult":
        self.latencies += other.latencies
        self.seconds += other.seconds
        return self

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.seconds

    def quantile_ms(self, q: float) -> float:
        return quantile(self.latencies, q) * 1000


def quantile(values: Sequence[float], q: float) -> float:
    """One of the values, for ``q`` from 0 to 1."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


async def run_at_concurrency(work: Sequence[Work], concurrency: int) -> LoadResult:
    """Run everything as fast as possible, with this many under way at any time."""
    result, remaining = LoadResult(), list(reversed(work))
    started_at = time.perf_counter()

    async def run_remaining() -> None:
        while remaining:
            await _run_timed(remaining.pop(), result)

    await asyncio.gather(*(run_remaining() for _ in range(concurrency)))
    result.seconds = time.perf_counter() - started_at
    return result


async def run_at_interval(work: Sequence[Work], interval_seconds: float) -> LoadResult:
    """Start one piece of work every interval, whether or not the earlier ones are done."""
    result, tasks = LoadResult(), []
    started_at = time.perf_counter()
    for number, item in enumerate(work):
        await asyncio.sleep(max(0.0, started_at + number * interval_seconds - time.perf_counter()))
        tasks.append(asyncio.create_task(_run_timed(item, result)))
    await asyncio.gather(*tasks)
    result.seconds = time.perf_counter() - started_at
    return result


async def _run_timed(work: Work, result: LoadResult) -> None:
    started_at = time.perf_counter()
    await work()
    result.latencies.append(time.perf_counter() - started_at)
