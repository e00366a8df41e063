"""The days that an Ascend event closes. If it can be read in two ways, both are closed."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from adapters.ascend.recurrence import blocks
from domain.interval import Interval

LA = ZoneInfo("America/Los_Angeles")
YEAR = Interval(start=datetime(2027, 1, 1, 8, tzinfo=UTC), end=datetime(2028, 1, 1, 8, tzinfo=UTC))
NOON = {"start": "2027-01-12T20:00:00.000Z", "end": "2027-01-12T21:00:00.000Z"}


def closed_days(row: dict[str, Any], around: Interval = YEAR) -> list[date]:
    return [block.time.start.astimezone(LA).date() for block in blocks(row, around, LA)]


@pytest.mark.parametrize("kind", ["", None, "NONE", "once"])
def test_event_without_recurrence_closes_one_day(kind: str | None) -> None:
    assert closed_days({**NOON, "recurrenceType": kind}) == [date(2027, 1, 12)]


def test_operatory_and_provider_are_each_closed_by_themselves() -> None:
    both = blocks({**NOON, "operatory": {"id": "1"}, "provider": {"id": "2"}}, YEAR, LA)
    assert [(block.operatory, block.provider) for block in both] == [("1", None), (None, "2")]
    assert [(block.operatory, block.provider) for block in blocks(NOON, YEAR, LA)] == [(None, None)]


def test_event_in_the_repeated_hour_has_its_stated_length() -> None:
    row = {"start": "2027-11-07T08:30:00Z", "end": "2027-11-07T09:15:00Z"}
    (block,) = blocks(row, YEAR, LA)
    assert (block.time.start, block.time.length) == (datetime(2027, 11, 7, 8, 30, tzinfo=UTC), timedelta(minutes=45))


def test_daily_event_in_the_skipped_hour_keeps_its_length() -> None:
    row = {"start": "2027-01-12T10:30:00Z", "end": "2027-01-12T11:00:00Z", "recurrenceType": "DAILY"}
    day = Interval(start=datetime(2027, 3, 14, 8, tzinfo=UTC), end=datetime(2027, 3, 15, 7, tzinfo=UTC))
    (block,) = blocks(row, day, LA)
    assert block.time.length >= timedelta(minutes=30)


@pytest.mark.parametrize("number", ["some", float("inf"), 10**30, -(10**30)])
def test_unreadable_number_closes_more_and_raises_nothing(number: Any) -> None:
    unreadable = blocks({**NOON, "recurrenceType": "WEEKLY", "recurrenceFrequency": number}, YEAR, LA)
    assert len(unreadable) == len(blocks({**NOON, "recurrenceType": "WEEKLY"}, YEAR, LA))
    (all_day,) = blocks({"start": NOON["start"], "duration": number}, YEAR, LA)
    assert all_day.time.length == timedelta(days=1)


@pytest.mark.parametrize(
    "fields",
    [
        {"end": "9999-12-31", "allDay": True},
        {"end": "9999-12-31T23:59:59Z"},
        {"end": "9999-12-31T23:59:59Z", "recurrenceType": "DAILY"},
        {"duration": 60, "recurrenceType": "DAILY", "recurrenceEnd": "9999-12-31T23:59:59Z"},
    ],
)
@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Pacific/Guam"])
def test_event_without_a_real_end_closes_the_whole_span(fields: dict[str, Any], zone: str) -> None:
    last = max(block.time.end for block in blocks({"start": NOON["start"], **fields}, YEAR, ZoneInfo(zone)))
    assert last >= YEAR.end - timedelta(days=1)


def test_lunch_stays_at_noon_when_the_clocks_change() -> None:
    lunches = blocks({**NOON, "recurrenceType": "DAILY"}, YEAR, LA)
    assert {block.time.start.astimezone(LA).hour for block in lunches} == {12}
    assert {block.time.length for block in lunches} == {timedelta(hours=1)}
    assert len(lunches) == 365 - 11


@pytest.mark.parametrize(
    ("end", "last"),
    [
        ("2027-01-15", date(2027, 1, 15)),
        ("2027-01-15T00:00:00.000Z", date(2027, 1, 15)),
        ("2027-01-16T07:59:59.000Z", date(2027, 1, 16)),
        ("2027-01-15T20:00:00.000Z", date(2027, 1, 15)),
    ],
)
def test_last_day_of_a_recurrence_is_closed(end: str, last: date) -> None:
    assert closed_days({**NOON, "recurrenceType": "DAILY", "recurrenceEnd": end})[-1] == last


def test_monthly_event_closes_the_same_date_and_the_same_weekday_of_the_month() -> None:
    second_tuesday = {**NOON, "recurrenceType": "MONTHLY", "recurrenceEnd": "2027-03-31"}
    assert closed_days(second_tuesday) == [
        date(2027, 1, 12),
        date(2027, 2, 9),
        date(2027, 2, 12),
        date(2027, 3, 9),
        date(2027, 3, 12),
    ]
    last_friday = {
        "start": "2027-01-29T20:00:00Z",
        "duration": 60,
        "recurrenceType": "MONTHLY",
        "recurrenceEnd": "2027-02-28",
    }
    assert closed_days(last_friday) == [date(2027, 1, 29), date(2027, 2, 26), date(2027, 2, 28)]
    quarterly = {**NOON, "recurrenceType": "MONTHLY", "recurrenceFrequency": 3, "recurrenceEnd": "2027-05-01"}
    assert closed_days(quarterly) == [date(2027, 1, 12), date(2027, 4, 12), date(2027, 4, 13)]


def test_event_of_several_days_is_seen_in_its_middle() -> None:
    day = Interval(start=datetime(2027, 1, 13, 8, tzinfo=UTC), end=datetime(2027, 1, 14, 8, tzinfo=UTC))
    row = {"start": "2027-01-12T20:00:00Z", "end": "2027-01-15T20:00:00Z"}
    assert closed_days(row, day) == [date(2027, 1, 12)]
    assert closed_days({**row, "recurrenceType": "MONTHLY"}, day) == [date(2027, 1, 12)]
    later = Interval(start=datetime(2027, 2, 14, 8, tzinfo=UTC), end=datetime(2027, 2, 15, 8, tzinfo=UTC))
    assert closed_days({**row, "recurrenceType": "MONTHLY"}, later) == [date(2027, 2, 12)]


@pytest.mark.parametrize(
    ("start", "end", "days"),
    [
        ("2027-01-12", "2027-01-12", [12]),
        ("2027-01-12", None, [12]),
        ("2027-01-12T08:00:00Z", "2027-01-13T08:00:00Z", [12]),
        ("2027-01-12T08:00:00Z", "2027-01-13T07:59:00Z", [12]),
        ("2027-01-12T00:00:00Z", "2027-01-13T00:00:00Z", [11, 12]),
        ("2027-01-12", "2027-01-13", [12, 13]),
    ],
)
def test_all_day_event_closes_from_midnight_to_midnight(start: str, end: str | None, days: list[int]) -> None:
    (block,) = blocks({"start": start, "end": end, "allDay": True}, YEAR, LA)
    first, last = (t.astimezone(LA) for t in (block.time.start, block.time.end))
    assert (first.hour, last.hour) == (0, 0)
    assert [first.day, *range(first.day + 1, last.day)] == days
