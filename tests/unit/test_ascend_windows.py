"""The windows that an Ascend schedule template opens. An unreadable one opens none."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from adapters.ascend import wire
from adapters.errors import Unreadable
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


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("end", "late"),
        ("start", None),
        ("end", None),
        ("start", 5),
        ("dayOfWeek", "SOMEDAY"),
        ("dayOfWeek", ["TUESDAY"]),
        ("operatory", {"name": "Op 1"}),
        ("providers", 5),
        ("providers", [{"name": "Lin"}]),
        ("reasons", [[]]),
    ],
)
def test_template_with_an_unreadable_field_is_unreadable(field: str, value: Any) -> None:
    with pytest.raises(Unreadable, match=field):
        wire.windows(template(**{field: value}), TUESDAY, LA)
