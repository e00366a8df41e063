"""Closed time in Ascend: whoever and wherever it concerns, however often it recurs."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from adapters.ascend import AscendSystem
from domain.interval import Interval
from tests.contract.test_ascend import CHAIR, DAY, HYGIENIST, NINE, OAKLAND
from tests.support.practice_systems import TUESDAY, ascend_at
from tests.support.sandbox import SandboxControl

DENVER = "7000000000102"


def block(sandbox: SandboxControl, **given: Any) -> dict[str, Any]:
    times = {"start": NINE.isoformat(), "end": (NINE + timedelta(hours=1)).isoformat()}
    return sandbox.desk(do="block", **{"location": OAKLAND, **times, **given})


async def closed(ascend: AscendSystem, span: Interval = DAY, location: str = OAKLAND) -> list[tuple[Any, ...]]:
    found = (await ascend.calendar(location, span)).blocks
    return [(block.time.start, block.time.end, block.operatory, block.provider) for block in found]


def a_day(days: int) -> Interval:
    return Interval(start=DAY.start + timedelta(days=days), end=DAY.end + timedelta(days=days))


async def test_what_is_closed_everywhere_is_closed_here(sandbox: SandboxControl, ascend: AscendSystem) -> None:
    block(sandbox, location=None)
    block(sandbox, location=DENVER)
    hour = (NINE, NINE + timedelta(hours=1), None, None)
    assert await closed(ascend) == [hour]
    assert await closed(ascend, location=DENVER) == [hour, hour]


async def test_a_providers_absence_and_a_closed_day_are_seen(sandbox: SandboxControl, ascend: AscendSystem) -> None:
    midnight = datetime.combine(TUESDAY, time(8), UTC)
    block(sandbox, provider=HYGIENIST)
    block(sandbox, allDay=True, start=midnight.isoformat(), end=(midnight + timedelta(days=1)).isoformat())
    block(sandbox, allDay=True, start=f"{TUESDAY}", end=f"{TUESDAY}")
    whole = (midnight, midnight + timedelta(days=1), None, None)
    assert await closed(ascend) == [(NINE, NINE + timedelta(hours=1), None, HYGIENIST), whole, whole]


@pytest.mark.parametrize(
    ("recurs", "days"),
    [
        ({"recurrenceType": "MONTHLY"}, 31),
        ({"recurrenceType": "YEARLY"}, (TUESDAY.replace(year=TUESDAY.year + 1) - TUESDAY).days),
        ({"recurrenceType": "EVERY_OTHER_FULL_MOON"}, 3),
        ({"recurrenceType": "DAILY", "recurrenceEnd": f"{TUESDAY + timedelta(days=2)}"}, 2),
        ({"recurrenceType": "WEEKLY", "recurrenceFrequency": 2}, 28),
    ],
)
async def test_an_event_that_recurs_closes_later_days_too(
    sandbox: SandboxControl, ascend: AscendSystem, recurs: dict[str, Any], days: int
) -> None:
    block(sandbox, **recurs)
    assert len(await closed(ascend, a_day(days))) == 1


async def test_what_the_desk_closes_after_a_reading_is_seen_by_the_next(
    sandbox: SandboxControl, ascend: AscendSystem
) -> None:
    block(sandbox, location=DENVER)
    assert await closed(ascend) == []
    block(sandbox, operatory=CHAIR)
    assert [row[2] for row in await closed(ascend)] == [CHAIR]


@pytest.mark.parametrize(("blocks_for", "still"), [(timedelta(0), 0), (timedelta(minutes=10), 1)])
async def test_what_the_desk_opens_again_is_seen_at_the_next_whole_reading(
    sandbox: SandboxControl, blocks_for: timedelta, still: int
) -> None:
    ascend = ascend_at(sandbox, blocks_for=blocks_for)
    opened = block(sandbox)
    assert len(await closed(ascend)) == 1
    sandbox.desk(do="unblock", id=opened["id"])
    assert len(await closed(ascend)) == still
    await ascend.close()


async def test_a_practice_whose_closed_time_we_cannot_see_or_read_is_told(
    sandbox: SandboxControl, ascend: AscendSystem
) -> None:
    assert await ascend.check() == []
    block(sandbox, recurrenceType="EVERY_OTHER_FULL_MOON")
    (problem,) = await ascend.check()
    assert "EVERY_OTHER_FULL_MOON" in problem
    sandbox.settings(events_enabled=False)
    (problem,) = await ascend.check()
    assert "/v1/events" in problem
