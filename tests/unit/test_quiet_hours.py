"""Nobody is woken by a text message, on whatever clock."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.quiet_hours import NEVER, QuietHours

OVER_NIGHT = QuietHours(begin=time(20), end=time(8))
ZONES = [ZoneInfo(f"America/{city}") for city in ("Los_Angeles", "New_York", "Phoenix", "St_Johns")]


def test_hours_that_pass_midnight_are_quiet_on_both_sides_of_it() -> None:
    tz = ZoneInfo("America/Los_Angeles")
    morning = datetime(2026, 12, 2, 8, tzinfo=tz)
    assert OVER_NIGHT.ends(datetime(2026, 12, 1, 20, tzinfo=tz), tz) == morning
    assert OVER_NIGHT.ends(datetime(2026, 12, 2, 2, tzinfo=tz), tz) == morning
    assert OVER_NIGHT.ends(morning, tz) is None
    assert OVER_NIGHT.ends(datetime(2026, 12, 2, 19, 59, tzinfo=tz), tz) is None
    assert NEVER.ends(datetime(2026, 12, 2, 0, tzinfo=tz), tz) is None


@pytest.mark.parametrize("tz", ZONES, ids=str)
@pytest.mark.parametrize("quiet", [OVER_NIGHT, QuietHours(begin=time(12), end=time(13, 30))])
def test_in_every_hour_of_two_years_a_text_goes_out_only_when_it_may(tz: ZoneInfo, quiet: QuietHours) -> None:
    for hour in range(2 * 8760):
        now = datetime(2026, 1, 1, 0, 30, tzinfo=UTC) + timedelta(hours=hour)
        wall = now.astimezone(tz).time()
        passes_midnight = quiet.end <= quiet.begin
        is_quiet = wall >= quiet.begin or wall < quiet.end if passes_midnight else quiet.begin <= wall < quiet.end
        ends = quiet.ends(now, tz)
        assert (ends is not None) == is_quiet
        if ends is not None:
            assert now < ends <= now + timedelta(hours=13)
            assert ends.astimezone(tz).time() == quiet.end


@given(st.integers(0, 3 * 366 * 24 * 60), st.times(), st.times(), st.sampled_from(ZONES))
def test_the_end_always_lies_ahead_and_less_than_a_day_and_a_clock_change(
    minute: int, begin: time, end: time, tz: ZoneInfo
) -> None:
    now = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    ends = QuietHours(begin=begin, end=end).ends(now, tz)
    assert ends is None or now < ends <= now + timedelta(hours=25)
