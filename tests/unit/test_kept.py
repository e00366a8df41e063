"""What seldom changes: one reading serves, an old one is better than none, and no key waits for another."""

import asyncio
import time
from datetime import timedelta

import pytest

from adapters.errors import Unavailable
from adapters.ttl_cache import StaleOkCache


class Source:
    def __init__(self) -> None:
        self.readings = 0
        self.away = False

    async def read(self) -> int:
        self.readings += 1
        if self.away:
            raise Unavailable("away")
        return self.readings


async def test_it_is_read_again_once_it_is_old() -> None:
    young, old, source = StaleOkCache(timedelta(hours=1)), StaleOkCache(timedelta(seconds=-1)), Source()
    assert [await young.get("key", source.read) for _ in range(2)] == [1, 1]
    assert [await old.get("key", source.read) for _ in range(2)] == [2, 3]


async def test_what_cannot_be_read_again_stands_and_what_was_never_read_fails() -> None:
    store, source = StaleOkCache(timedelta(seconds=-1)), Source()
    assert await store.get("key", source.read) == 1
    source.away = True
    assert await store.get("key", source.read) == 1
    with pytest.raises(Unavailable):
        await store.get("another", source.read)
    source.away = False
    assert await store.get("key", source.read) == 4


async def test_what_could_not_be_read_is_not_tried_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    store, source = StaleOkCache(timedelta(hours=1)), Source()
    await store.get("key", source.read)
    later = time.monotonic() + timedelta(hours=2).total_seconds()
    monkeypatch.setattr(time, "monotonic", lambda: later)
    source.away = True
    assert [await store.get("key", source.read) for _ in range(3)] == [1, 1, 1]
    assert source.readings == 2
    monkeypatch.setattr(time, "monotonic", lambda: later + 31)
    source.away = False
    assert await store.get("key", source.read) == 3


async def test_a_reading_that_hangs_holds_up_only_its_own_key() -> None:
    store, source, ever = StaleOkCache(timedelta(hours=1)), Source(), asyncio.Event()
    hangs = asyncio.create_task(store.get("one", ever.wait))
    await asyncio.sleep(0)
    assert await asyncio.wait_for(store.get("other", source.read), 30) == 1
    ever.set()
    await hangs
