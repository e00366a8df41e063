"""When an event closes the practice, as far as it can be told.

How Ascend writes recurrences and all-day events is not published. Where a row can be read in two ways it closes
what either would: an opening too few is a nuisance, one too many a double booking.
"""

from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from adapters.ascend.wire import Row, ref
from adapters.rows import closed, when
from domain.calendar import Block
from domain.interval import Interval
from domain.local_time import instant

ONCE = frozenset({"", "NONE", "NEVER", "ONCE"})
YEARLY = frozenset({"YEARLY", "ANNUALLY"})
KNOWN = ONCE | YEARLY | {"DAILY", "WEEKLY", "MONTHLY"}
_DAY = timedelta(days=1)
A_DAY_LONG = 24 * 60
"""Minutes that an event closes whose length can't be read."""
MOST = 100 * 366 * A_DAY_LONG
"""A number beyond the minutes of a century is none."""
FOREVER = datetime(3000, 1, 1, tzinfo=UTC)
"""Whatever ends later is reckoned to end then: days can be added to it, and its length taken from any date."""


def kind(row: Row) -> str:
    """An event of a kind that is not ``KNOWN`` is taken to recur every day."""
    return str(row.get("recurrenceType") or "").upper()


def blocks(row: Row, around: Interval, tz: ZoneInfo) -> list[Block]:
    """What an event closes within a span, on the location's clock. Raises Unreadable for an unreadable time."""
    first = _first(row, tz)
    begin, end = first.start.astimezone(tz), first.end.astimezone(tz)
    lasts = end.date() - begin.date()
    found: list[Block] = []
    for day in _days(row, begin.date(), Interval(start=around.start - lasts - _DAY, end=around.end), tz):
        start = instant(day, begin.time(), tz)
        time = Interval(start=start, end=max(start + first.length, instant(day + lasts, end.time(), tz)))
        if time.overlaps(around):
            found += closed(time, ref(row, "operatory"), ref(row, "provider"))
    return found


def _first(row: Row, tz: ZoneInfo) -> Interval:
    start = _instant(row, "start", tz)
    end = _instant(row, "end", tz) if row.get("end") else start + _length(row)
    if row.get("allDay"):
        last = end if _is_date(row, "end") else end - timedelta(seconds=1)
        days = start.astimezone(tz).date(), max(start, last).astimezone(tz).date() + _DAY
        start, end = (instant(day, time(0), tz) for day in days)
    return Interval(start=start, end=max(start, end))


def _length(row: Row) -> timedelta:
    return timedelta(minutes=_number(row.get("duration") or 0, A_DAY_LONG))


def _days(row: Row, began: date, around: Interval, tz: ZoneInfo) -> Iterator[date]:
    """The local dates within a span on which it begins."""
    if kind(row) in ONCE:
        yield began
        return
    until = _last_day(row, "recurrenceEnd", tz) if row.get("recurrenceEnd") else date.max
    day = max(began, around.start.astimezone(tz).date())
    while day <= min(until, around.end.astimezone(tz).date()):
        if _recurs(kind(row), max(1, _number(row.get("recurrenceFrequency"), 1)), began, day):
            yield day
        day += _DAY


def _recurs(kind: str, every: int, began: date, day: date) -> bool:
    months = (day.year - began.year) * 12 + day.month - began.month
    if kind == "DAILY":
        return (day - began).days % every == 0
    if kind == "WEEKLY":
        return (day - began).days % (7 * every) == 0
    if kind == "MONTHLY" or kind in YEARLY:
        return months % (every if kind == "MONTHLY" else 12 * every) == 0 and _same_day_of_month(began, day)
    return True


def _same_day_of_month(one: date, other: date) -> bool:
    """The 31st, or the month's last day where it is shorter; or the second Tuesday, or the last one."""
    length = monthrange(other.year, other.month)[1]
    if other.day == min(one.day, length):
        return True
    second = (one.day - 1) // 7 == (other.day - 1) // 7
    last = monthrange(one.year, one.month)[1] - one.day < 7 and length - other.day < 7
    return one.weekday() == other.weekday() and (second or last)


def _number(given: Any, unreadable: int) -> int:
    try:
        number = int(given)
    except (TypeError, ValueError, OverflowError):
        return unreadable
    return number if abs(number) <= MOST else unreadable


def _moment(row: Row, field: str) -> datetime:
    return min(when(row, field), FOREVER)


def _is_date(row: Row, field: str) -> bool:
    return len(str(row.get(field))) == len("2027-01-12")


def _instant(row: Row, field: str, tz: ZoneInfo) -> datetime:
    found = _moment(row, field)
    return instant(found.date(), time(0), tz) if _is_date(row, field) else found


def _last_day(row: Row, field: str, tz: ZoneInfo) -> date:
    """The date that is meant: by the location's clock, or by the text itself."""
    found = _moment(row, field)
    return found.date() if _is_date(row, field) else max(found.astimezone(tz).date(), found.astimezone(UTC).date())
