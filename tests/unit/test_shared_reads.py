"""Readings are shared only by those who asked before they began."""

import asyncio

import pytest

from adapters import shared_reads
from adapters.shared_reads import SharedReads


class Source:
    """Counts its readings; each ends when it is let go."""

    def __init__(self) -> None:
        self.begun = 0
        self.gates: list[asyncio.Event] = []

    async def read(self) -> int:
        self.begun += 1
        mine, gate = self.begun, asyncio.Event()
        self.gates.append(gate)
        await gate.wait()
        return mine


async def _turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_one_reading_serves_all_who_wait_for_it_and_later_ones_get_the_next() -> None:
    shared, source = SharedReads[int](), Source()
    first = [asyncio.create_task(shared("day", source.read)) for _ in range(3)]
    await _turns()
    later = [asyncio.create_task(shared("day", source.read)) for _ in range(3)]
    await _turns()
    assert source.begun == 1
    source.gates[0].set()
    assert await asyncio.gather(*first) == [1, 1, 1]
    await _turns()
    source.gates[1].set()
    assert await asyncio.gather(*later) == [2, 2, 2]


async def test_other_keys_do_not_wait() -> None:
    shared, source = SharedReads[int](), Source()
    reads = [asyncio.create_task(shared(key, source.read)) for key in ("one", "two")]
    await _turns()
    assert source.begun == 2
    for gate in source.gates:
        gate.set()
    assert sorted(await asyncio.gather(*reads)) == [1, 2]


async def test_a_failure_reaches_everybody_and_nobody_after_them() -> None:
    shared = SharedReads[int]()

    async def fails() -> int:
        raise ConnectionError

    async def works() -> int:
        return 7

    outcomes = await asyncio.gather(*(shared("day", fails) for _ in range(2)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ConnectionError, ConnectionError]
    assert await shared("day", works) == 7


async def test_one_who_gives_up_does_not_end_the_reading_of_the_others() -> None:
    shared, source = SharedReads[int](), Source()
    one, other = (asyncio.create_task(shared("day", source.read)) for _ in range(2))
    await _turns()
    one.cancel()
    await _turns()
    source.gates[0].set()
    assert await other == 1


async def test_a_reading_that_hangs_does_not_hold_up_the_next_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_reads, "PATIENCE", 0.0)
    shared, source = SharedReads[int](), Source()
    hung = asyncio.create_task(shared("day", source.read))
    await _turns()
    later = asyncio.create_task(shared("day", source.read))
    while source.begun < 2:
        await asyncio.sleep(0)
    source.gates[1].set()
    assert await later == 2
    source.gates[0].set()
    assert await hung == 1
