"""Intervals lie between instants, whatever the clocks on the wall show."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from domain.calendar import Calendar
from domain.interval import span
from domain.local_time import local_day
from domain.rules import HoursSpan, ServiceRule
from domain.schedule import Facts, candidate_slots, conflicts, openings
from domain.slot import Slot

CLOCK_CHANGES = {
    "America/New_York": datetime(2027, 11, 7, 6, tzinfo=UTC),
    "America/Los_Angeles": datetime(2027, 3, 14, 10, tzinfo=UTC),
    "Europe/Lisbon": datetime(2027, 10, 31, 1, tzinfo=UTC),
    "Australia/Lord_Howe": datetime(2027, 4, 3, 15, tzinfo=UTC),
    "Africa/Cairo": datetime(2027, 10, 28, 21, tzinfo=UTC),
}
"""By zone, an instant at which its clocks change: by an hour, by half an hour, and at midnight."""

zones = st.sampled_from(sorted(CLOCK_CHANGES))
offsets = st.integers(-180, 180).map(lambda minutes: timedelta(minutes=minutes))
lengths = st.integers(0, 180)


@given(zones, offsets, offsets, lengths, lengths)
def test_interval_in_local_time_is_the_same_interval(
    zone: str, first: timedelta, second: timedelta, first_length: int, second_length: int
) -> None:
    change, tz = CLOCK_CHANGES[zone], ZoneInfo(zone)
    utc = [span(change + first, first_length), span(change + second, second_length)]
    local = [Slot(time=time, provider="p", operatory="o").in_zone(tz).time for time in utc]
    assert [time.length for time in local] == [time.length for time in utc]
    assert local[0].overlaps(local[1]) is utc[0].overlaps(utc[1])
    assert local[0].contains(local[1]) is utc[0].contains(utc[1])
    assert [time.widened(timedelta(hours=1), timedelta(hours=1)).length for time in local] == [
        time.length + timedelta(hours=2) for time in utc
    ]
    # Its clock still shows the location's own time.
    assert [time.start.isoformat() for time in local] == [time.start.astimezone(tz).isoformat() for time in utc]


@given(zones, offsets, lengths)
def test_interval_of_some_minutes_lasts_that_long_on_a_local_clock(zone: str, begin: timedelta, minutes: int) -> None:
    start = (CLOCK_CHANGES[zone] + begin).astimezone(ZoneInfo(zone))
    assert span(start, minutes) == span(start.astimezone(UTC), minutes)


def night_rule(zone: str) -> ServiceRule:
    return ServiceRule(
        location="here",
        service="emergency",
        label="Emergency",
        zone=zone,
        duration=timedelta(minutes=30),
        providers=("p",),
        operatories=("o",),
        hours=dict.fromkeys(range(1, 8), (HoursSpan(open=time(0), close=time(5)),)),
        slot_step=timedelta(minutes=15),
    )


@given(zones)
def test_openings_of_a_night_on_which_the_clocks_change_are_shown_in_local_time(zone: str) -> None:
    rule, change = night_rule(zone), CLOCK_CHANGES[zone]
    day: date = change.astimezone(rule.tz).date()
    facts = Facts(rule=rule, calendar=Calendar(span=local_day(day, rule.tz)), now=change - timedelta(days=1))
    slots = list(openings(facts, day, 1))
    shown = [slot.in_zone(rule.tz) for slot in slots]
    assert slots
    assert [slot.time.length for slot in shown] == [rule.duration] * len(slots)
    assert all(conflicts(slot, facts) == () for slot in shown)
    for slot in slots:
        assert candidate_slots(slot.time.start.astimezone(rule.tz), rule) == (slot,)
