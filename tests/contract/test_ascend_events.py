"""Blocked time in Ascend: for every location, provider and operatory, and in every recurrence."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from adapters.ascend import AscendSystem
from domain.interval import Interval
from tests.contract.test_ascend import DAY, HYGIENIST, NINE, OAKLAND, OPERATORY
from tests.support.practice_systems import TUESDAY, ascend_at
from tests.support.sandbox import SandboxControl

DENVER = "7000000000102"


def block(sandbox: SandboxControl, **fields: Any) -> dict[str, Any]:
    """The desk closes nine to ten in Oakland, unless the fields say otherwise."""
    times = {"start": NINE.isoformat(), "end": (NINE + timedelta(hours=1)).isoformat()}
    return sandbox.desk(do="block", **{"location": OAKLAND, **times, **fields})


async def blocks_seen(
    ascend: AscendSystem, span: Interval = DAY, location: str = OAKLAND
) -> list[tuple[datetime, datetime, str | None, str | None]]:
    """(start, end, operatory, provider)"""
    blocks = (await ascend.read_calendar(location, span)).blocks
    return [(block.time.start, block.time.end, block.operatory, block.provider) for block in blocks]


def days_later(days: int) -> Interval:
    return Interval(start=DAY.start + timedelta(days=days), end=DAY.end + timedelta(days=days))


async def test_event_without_a_location_closes_every_location(sandbox: SandboxControl, ascend: AscendSystem) -> None:
    block(sandbox, location=None)
    block(sandbox, location=DENVER)
    hour = (NINE, NINE + timedelta(hours=1), None, None)
    assert await blocks_seen(ascend) == [hour]
    assert await blocks_seen(ascend, location=DENVER) == [hour, hour]


async def test_absent_provider_and_closed_day_are_seen(sandbox: SandboxControl, ascend: AscendSystem) -> None:
    midnight = datetime.combine(TUESDAY, time(8), UTC)
    block(sandbox, provider=HYGIENIST)
    block(sandbox, allDay=True, start=midnight.isoformat(), end=(midnight + timedelta(days=1)).isoformat())
    block(sandbox, allDay=True, start=f"{TUESDAY}", end=f"{TUESDAY}")
    whole_day = (midnight, midnight + timedelta(days=1), None, None)
    provider_hour = (NINE, NINE + timedelta(hours=1), None, HYGIENIST)
    assert await blocks_seen(ascend) == [provider_hour, whole_day, whole_day]


@pytest.mark.parametrize(
    ("recurrence", "days"),
    [
        ({"recurrenceType": "MONTHLY"}, 31),
        ({"recurrenceType": "YEARLY"}, (TUESDAY.replace(year=TUESDAY.year + 1) - TUESDAY).days),
        ({"recurrenceType": "EVERY_OTHER_FULL_MOON"}, 3),
        ({"recurrenceType": "DAILY", "recurrenceEnd": f"{TUESDAY + timedelta(days=2)}"}, 2),
        ({"recurrenceType": "WEEKLY", "recurrenceFrequency": 2}, 28),
    ],
)
async def test_recurring_event_closes_later_days_too(
    sandbox: SandboxControl, ascend: AscendSystem, recurrence: dict[str, Any], days: int
) -> None:
    block(sandbox, **recurrence)
    assert len(await blocks_seen(ascend, days_later(days))) == 1


async def test_block_made_after_a_read_is_seen_by_the_next_read(sandbox: SandboxControl, ascend: AscendSystem) -> None:
    block(sandbox, location=DENVER)
    assert await blocks_seen(ascend) == []
    block(sandbox, operatory=OPERATORY)
    assert [operatory for _, _, operatory, _ in await blocks_seen(ascend)] == [OPERATORY]


@pytest.mark.parametrize(("blocks_max_age", "blocks_left"), [(timedelta(0), 0), (timedelta(minutes=10), 1)])
async def test_deleted_block_disappears_with_the_next_complete_read(
    sandbox: SandboxControl, blocks_max_age: timedelta, blocks_left: int
) -> None:
    ascend = ascend_at(sandbox, blocks_max_age=blocks_max_age)
    deleted = block(sandbox)
    assert len(await blocks_seen(ascend)) == 1
    sandbox.desk(do="unblock", id=deleted["id"])
    assert len(await blocks_seen(ascend)) == blocks_left
    await ascend.close()


async def test_check_names_blocked_time_that_we_cannot_read(sandbox: SandboxControl, ascend: AscendSystem) -> None:
    assert await ascend.check() == []
    block(sandbox, recurrenceType="EVERY_OTHER_FULL_MOON")
    (problem,) = await ascend.check()
    assert "EVERY_OTHER_FULL_MOON" in problem
    sandbox.settings(events_enabled=False)
    (problem,) = await ascend.check()
    assert "/v1/events" in problem
