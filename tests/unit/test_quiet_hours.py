"""Quiet hours on every wall clock, across daylight saving changes."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.quiet_hours import NO_QUIET_HOURS, QuietHours

OVERNIGHT = QuietHours(begin=time(20), end=time(8))
ZONES = [ZoneInfo(f"America/{city}") for city in ("Los_Angeles", "New_York", "Phoenix", "St_Johns")]


def test_quiet_hours_that_pass_midnight_apply_on_both_sides_of_it() -> None:
    tz = ZoneInfo("America/Los_Angeles")
    morning = datetime(2026, 12, 2, 8, tzinfo=tz)
    assert OVERNIGHT.end_after(datetime(2026, 12, 1, 20, tzinfo=tz), tz) == morning
    assert OVERNIGHT.end_after(datetime(2026, 12, 2, 2, tzinfo=tz), tz) == morning
    assert OVERNIGHT.end_after(morning, tz) is None
    assert OVERNIGHT.end_after(datetime(2026, 12, 2, 19, 59, tzinfo=tz), tz) is None
    assert NO_QUIET_HOURS.end_after(datetime(2026, 12, 2, 0, tzinfo=tz), tz) is None


@pytest.mark.parametrize("tz", ZONES, ids=str)
@pytest.mark.parametrize("quiet_hours", [OVERNIGHT, QuietHours(begin=time(12), end=time(13, 30))])
def test_every_hour_of_two_years_is_quiet_exactly_within_quiet_hours(tz: ZoneInfo, quiet_hours: QuietHours) -> None:
    for hour in range(2 * 8760):
        now = datetime(2026, 1, 1, 0, 30, tzinfo=UTC) + timedelta(hours=hour)
        wall = now.astimezone(tz).time()
        begin, end = quiet_hours.begin, quiet_hours.end
        is_quiet = (wall >= begin or wall < end) if end <= begin else begin <= wall < end
        quiet_until = quiet_hours.end_after(now, tz)
        assert (quiet_until is not None) == is_quiet
        if quiet_until is not None:
            assert now < quiet_until <= now + timedelta(hours=13)
            assert quiet_until.astimezone(tz).time() == end


@given(st.integers(0, 3 * 366 * 24 * 60), st.times(), st.times(), st.sampled_from(ZONES))
def test_end_of_quiet_hours_is_in_the_next_25_hours(minute: int, begin: time, end: time, tz: ZoneInfo) -> None:
    now = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    quiet_until = QuietHours(begin=begin, end=end).end_after(now, tz)
    assert quiet_until is None or now < quiet_until <= now + timedelta(hours=25)
