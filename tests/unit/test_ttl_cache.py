"""A cached value is read once, stays in use if it cannot be refreshed, and no key waits for another."""

import asyncio
import time
from datetime import timedelta

import pytest

from adapters.errors import Unavailable
from adapters.ttl_cache import StaleOkCache


class Source:
    def __init__(self) -> None:
        self.reads = 0
        self.is_down = False

    async def read(self) -> int:
        self.reads += 1
        if self.is_down:
            raise Unavailable("down")
        return self.reads


async def test_value_is_read_again_after_it_expires() -> None:
    fresh, expired, source = StaleOkCache(timedelta(hours=1)), StaleOkCache(timedelta(seconds=-1)), Source()
    assert [await fresh.get("key", source.read) for _ in range(2)] == [1, 1]
    assert [await expired.get("key", source.read) for _ in range(2)] == [2, 3]


async def test_stale_value_is_kept_and_a_key_that_was_never_read_fails() -> None:
    cache, source = StaleOkCache(timedelta(seconds=-1)), Source()
    assert await cache.get("key", source.read) == 1
    source.is_down = True
    assert await cache.get("key", source.read) == 1
    with pytest.raises(Unavailable):
        await cache.get("another", source.read)
    source.is_down = False
    assert await cache.get("key", source.read) == 4


async def test_failed_read_is_not_retried_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    cache, source = StaleOkCache(timedelta(hours=1)), Source()
    await cache.get("key", source.read)
    later = time.monotonic() + timedelta(hours=2).total_seconds()
    monkeypatch.setattr(time, "monotonic", lambda: later)
    source.is_down = True
    assert [await cache.get("key", source.read) for _ in range(3)] == [1, 1, 1]
    assert source.reads == 2
    monkeypatch.setattr(time, "monotonic", lambda: later + 31)
    source.is_down = False
    assert await cache.get("key", source.read) == 3


async def test_hanging_read_blocks_only_its_own_key() -> None:
    cache, source, release_read = StaleOkCache(timedelta(hours=1)), Source(), asyncio.Event()
    hanging_read = asyncio.create_task(cache.get("one", release_read.wait))
    await asyncio.sleep(0)
    assert await asyncio.wait_for(cache.get("other", source.read), 30) == 1
    release_read.set()
    await hanging_read


async def test_value_with_an_unreadable_part_is_read_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    cache, source = StaleOkCache(timedelta(hours=1)), Source()
    begin = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: begin)
    assert await cache.get("key", source.read) == 1
    cache.read_again_soon("key")
    monkeypatch.setattr(time, "monotonic", lambda: begin + 20)
    assert await cache.get("key", source.read) == 1
    cache.read_again_soon("key")
    monkeypatch.setattr(time, "monotonic", lambda: begin + 31)
    assert await cache.get("key", source.read) == 2
    monkeypatch.setattr(time, "monotonic", lambda: begin + 3000)
    assert await cache.get("key", source.read) == 2
