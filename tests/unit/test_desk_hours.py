"""Deadlines count in the hours in which somebody is at the desk, across closed days and clock changes."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.desk_hours import DeskHours, merge_spans
from domain.rules import HoursSpan

LOS_ANGELES = ZoneInfo("America/Los_Angeles")
ZONES = [ZoneInfo(name) for name in ("America/Los_Angeles", "America/New_York", "America/Phoenix", "America/St_Johns")]
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
DAY = (HoursSpan(open=time(8), close=time(12)), HoursSpan(open=time(13), close=time(17)))
WEEK = DeskHours(hours=dict.fromkeys(range(1, 6), DAY))


def local(year: int, month: int, day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=LOS_ANGELES)


@st.composite
def desk_hours(draw: st.DrawFn) -> DeskHours:
    hours = {}
    for weekday in draw(st.sets(st.integers(1, 7), min_size=1)):
        marks = sorted(draw(st.lists(st.integers(0, 95), min_size=2, max_size=4, unique=True)))
        pairs = zip(marks[::2], marks[1::2], strict=False)
        clock = [(time(a // 4, a % 4 * 15), time(b // 4, b % 4 * 15)) for a, b in pairs]
        hours[weekday] = tuple(HoursSpan(open=opens, close=closes) for opens, closes in clock)
    closed = draw(st.sets(st.dates(date(2026, 3, 1), date(2026, 12, 31)), max_size=5))
    return DeskHours(hours=hours, closed_on=frozenset(closed))


def is_open(desk: DeskHours, moment: datetime, tz: ZoneInfo) -> bool:
    wall = moment.astimezone(tz)
    spans = desk.hours.get(wall.isoweekday(), ()) if wall.date() not in desk.closed_on else ()
    return any(span.open <= wall.time() and (wall.time() < span.close or span.close == time(0)) for span in spans)


def minutes_around(first: datetime, days: int) -> st.SearchStrategy[datetime]:
    return st.integers(0, days * 24 * 60).map(lambda minutes: first + minutes * MINUTE)


moments = st.one_of(
    minutes_around(datetime(2026, 3, 6, tzinfo=UTC), 4),  # clocks go forward
    minutes_around(datetime(2026, 10, 30, tzinfo=UTC), 4),  # clocks go back
    minutes_around(datetime(2026, 5, 1, tzinfo=UTC), 200),
)
durations = st.integers(0, 5 * 60).map(lambda minutes: timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("begin", "duration", "expected"),
    [
        (local(2026, 6, 5, 21), 4 * HOUR, local(2026, 6, 8, 12)),  # Friday 9 PM: Monday noon
        (local(2026, 6, 5, 21), 8 * HOUR, local(2026, 6, 8, 17)),  # by the end of the next working day
        (local(2026, 6, 5, 16), 2 * HOUR, local(2026, 6, 8, 9)),
        (local(2026, 6, 8, 11, 30), HOUR, local(2026, 6, 8, 13, 30)),  # across lunch
        (local(2026, 6, 8, 9), HOUR, local(2026, 6, 8, 10)),
    ],
)
def test_desk_time_skips_nights_lunch_and_weekends(begin: datetime, duration: timedelta, expected: datetime) -> None:
    assert WEEK.add(begin, duration, LOS_ANGELES) == expected


def test_desk_time_skips_closed_dates() -> None:
    closed_monday = WEEK.model_copy(update={"closed_on": frozenset({date(2026, 6, 8)})})
    assert closed_monday.add(local(2026, 6, 5, 21), 4 * HOUR, LOS_ANGELES) == local(2026, 6, 9, 12)


def test_latest_time_to_act_before_a_monday_morning_visit_is_on_friday() -> None:
    assert WEEK.subtract(local(2026, 6, 8, 8), 3 * HOUR, LOS_ANGELES) == local(2026, 6, 5, 14)


def test_hours_of_several_services_are_joined() -> None:
    early, late = HoursSpan(open=time(8), close=time(12)), HoursSpan(open=time(11), close=time(0))
    evening = HoursSpan(open=time(18), close=time(20))
    assert merge_spans([evening, late, early]) == (HoursSpan(open=time(8), close=time(0)),)
    assert merge_spans([evening, early]) == (early, evening)


def test_length_of_a_week() -> None:
    assert WEEK.week_length == 40 * HOUR
    assert DeskHours().week_length == timedelta(days=7)
    assert DeskHours(hours={6: (HoursSpan(open=time(22), close=time(0)),)}).week_length == 2 * HOUR


@given(moments, durations)
def test_without_hours_all_time_counts(moment: datetime, duration: timedelta) -> None:
    assert DeskHours().add(moment, duration, LOS_ANGELES) == moment + duration
    assert DeskHours().subtract(moment, duration, LOS_ANGELES) == moment - duration


def test_desk_that_is_always_open_counts_all_time() -> None:
    always = DeskHours(hours={day: (HoursSpan(open=time(0), close=time(0)),) for day in range(1, 8)})
    before_both_changes = local(2026, 3, 7, 12)
    assert always.add(before_both_changes, timedelta(days=300), LOS_ANGELES) == (
        before_both_changes.astimezone(UTC) + timedelta(days=300)
    )


def test_desk_that_never_opens_again_still_gets_a_deadline() -> None:
    one_day = DeskHours(
        hours={1: DAY}, closed_on=frozenset(date(2026, 6, 8) + timedelta(days=number) for number in range(2000))
    )
    assert one_day.add(local(2026, 6, 5, 21), HOUR, LOS_ANGELES) > local(2027, 6, 1, 0)


@given(desk_hours(), moments, st.integers(0, 5 * 60), st.sampled_from(ZONES))
def test_exactly_the_open_minutes_are_counted(desk: DeskHours, begin: datetime, minutes: int, tz: ZoneInfo) -> None:
    end = desk.add(begin, minutes * MINUTE, tz)
    if end - begin > timedelta(days=15):
        return  # counted one by one below
    elapsed = range(int((end - begin) / MINUTE))
    skipped_or_repeated = timedelta(hours=1)  # a span that touches a clock change may be an hour off
    counted = sum(is_open(desk, begin + number * MINUTE, tz) for number in elapsed) * MINUTE
    has_clock_change = begin.astimezone(tz).utcoffset() != end.astimezone(tz).utcoffset()
    assert abs(counted - minutes * MINUTE) <= (skipped_or_repeated if has_clock_change else timedelta(0))


@given(desk_hours(), moments, durations, durations, st.sampled_from(ZONES))
def test_desk_time_adds_up(desk: DeskHours, begin: datetime, one: timedelta, two: timedelta, tz: ZoneInfo) -> None:
    assert desk.add(desk.add(begin, one, tz), two, tz) == desk.add(begin, one + two, tz)


@given(desk_hours(), moments, durations, st.sampled_from(ZONES))
def test_deadline_is_never_earlier_than_on_the_clock(
    desk: DeskHours, begin: datetime, duration: timedelta, tz: ZoneInfo
) -> None:
    assert desk.add(begin, duration, tz) >= begin + duration
    assert desk.subtract(begin, duration, tz) <= begin - duration


@given(desk_hours(), moments, durations.filter(bool), st.sampled_from(ZONES))
def test_subtracting_and_adding_again_meets_the_same_closing_time(
    desk: DeskHours, end: datetime, duration: timedelta, tz: ZoneInfo
) -> None:
    begin = desk.subtract(end, duration, tz)
    assert desk.add(begin, duration, tz) <= end
    assert desk.add(begin + MINUTE, duration, tz) > end - MINUTE


@given(desk_hours(), moments, moments, durations, st.sampled_from(ZONES))
def test_later_begin_never_gives_an_earlier_deadline(
    desk: DeskHours, one: datetime, two: datetime, duration: timedelta, tz: ZoneInfo
) -> None:
    assert desk.add(min(one, two), duration, tz) <= desk.add(max(one, two), duration, tz)
