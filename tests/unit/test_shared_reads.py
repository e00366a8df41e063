"""A read is shared only by callers that asked before it began."""

import asyncio

import pytest

from adapters import shared_reads
from adapters.shared_reads import SharedReads


class Source:
    """Counts its reads. Each ends when its gate opens."""

    def __init__(self) -> None:
        self.started = 0
        self.gates: list[asyncio.Event] = []

    async def read(self) -> int:
        self.started += 1
        number, gate = self.started, asyncio.Event()
        self.gates.append(gate)
        await gate.wait()
        return number


async def _run_tasks() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_callers_share_the_read_that_begins_after_them() -> None:
    shared, source = SharedReads[int](), Source()
    first = [asyncio.create_task(shared("day", source.read)) for _ in range(3)]
    await _run_tasks()
    later = [asyncio.create_task(shared("day", source.read)) for _ in range(3)]
    await _run_tasks()
    assert source.started == 1
    source.gates[0].set()
    assert await asyncio.gather(*first) == [1, 1, 1]
    await _run_tasks()
    source.gates[1].set()
    assert await asyncio.gather(*later) == [2, 2, 2]


async def test_other_keys_do_not_wait() -> None:
    shared, source = SharedReads[int](), Source()
    reads = [asyncio.create_task(shared(key, source.read)) for key in ("one", "two")]
    await _run_tasks()
    assert source.started == 2
    for gate in source.gates:
        gate.set()
    assert sorted(await asyncio.gather(*reads)) == [1, 2]


async def test_failure_reaches_every_waiting_caller_and_no_later_one() -> None:
    shared = SharedReads[int]()

    async def failing_read() -> int:
        raise ConnectionError

    async def working_read() -> int:
        return 7

    outcomes = await asyncio.gather(*(shared("day", failing_read) for _ in range(2)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ConnectionError, ConnectionError]
    assert await shared("day", working_read) == 7


async def test_cancelled_caller_does_not_cancel_the_read_of_the_others() -> None:
    shared, source = SharedReads[int](), Source()
    cancelled, remaining = (asyncio.create_task(shared("day", source.read)) for _ in range(2))
    await _run_tasks()
    cancelled.cancel()
    await _run_tasks()
    source.gates[0].set()
    assert await remaining == 1


async def test_hanging_read_does_not_block_the_next_one_forever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_reads, "MAX_WAIT_FOR_PREVIOUS_READ", 0.0)
    shared, source = SharedReads[int](), Source()
    hanging = asyncio.create_task(shared("day", source.read))
    await _run_tasks()
    later = asyncio.create_task(shared("day", source.read))
    while source.started < 2:
        await asyncio.sleep(0)
    source.gates[1].set()
    assert await later == 2
    source.gates[0].set()
    assert await hanging == 1
