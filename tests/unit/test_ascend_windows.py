"""The windows that an Ascend schedule template opens. An unreadable one opens none, and raises nothing."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from adapters.ascend import wire
from domain.interval import Interval

LA = ZoneInfo("America/Los_Angeles")
TUESDAY = Interval(start=datetime(2027, 1, 12, 8, tzinfo=UTC), end=datetime(2027, 1, 13, 8, tzinfo=UTC))


def template(**changes: Any) -> dict[str, Any]:
    row = {"operatory": {"id": "1"}, "bookOnline": True, "dayOfWeek": "TUESDAY", "start": "18:00", "end": "20:00"}
    return {**row, **changes}


@pytest.mark.parametrize(("end", "hours"), [("20:00", 2), ("20:00Z", 2), ("24:00", 6), ("00:00", 6), ("00:00:00", 6)])
def test_midnight_is_the_end_of_the_day(end: str, hours: int) -> None:
    (window,) = wire.windows(template(end=end), TUESDAY, LA)
    assert window.time.length == timedelta(hours=hours)


@pytest.mark.parametrize("changes", [{"end": "late"}, {"start": None}, {"end": None}, {"dayOfWeek": "SOMEDAY"}])
def test_unreadable_template_opens_nothing(changes: dict[str, Any]) -> None:
    assert wire.windows(template(**changes), TUESDAY, LA) == []
