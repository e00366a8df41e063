"""Load, and what it took."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

Work = Callable[[], Awaitable[object]]


@dataclass
class Timed:
    """Latencies in seconds, and the wall-clock time they took together."""

    latencies: list[float] = field(default_factory=list)
    seconds: float = 0

    def __iadd__(self, other: "Timed") -> "Timed":
        self.latencies += other.latencies
        self.seconds += other.seconds
        return self

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds

    def quantile(self, q: float) -> float:
        """Milliseconds."""
        return quantile(self.latencies, q) * 1000


def quantile(values: Sequence[float], q: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


async def closed(work: Sequence[Work], at_once: int) -> Timed:
    """Everything as fast as it goes, with so many under way at any time."""
    timed, waiting = Timed(), list(reversed(work))
    begun = time.perf_counter()

    async def one_after_another() -> None:
        while waiting:
            await _timed(waiting.pop(), timed)

    await asyncio.gather(*(one_after_another() for _ in range(at_once)))
    timed.seconds = time.perf_counter() - begun
    return timed


async def steady(work: Sequence[Work], every: float) -> Timed:
    """One begins every so many seconds, whether or not the ones before are done."""
    timed, tasks = Timed(), []
    begun = time.perf_counter()
    for number, item in enumerate(work):
        await asyncio.sleep(max(0.0, begun + number * every - time.perf_counter()))
        tasks.append(asyncio.create_task(_timed(item, timed)))
    await asyncio.gather(*tasks)
    timed.seconds = time.perf_counter() - begun
    return timed


async def _timed(work: Work, into: Timed) -> None:
    begun = time.perf_counter()
    await work()
    into.latencies.append(time.perf_counter() - begun)
