"""The times at which an event closes the practice.

The vendor does not publish how Ascend writes recurrences and all-day events. If a row can be read in two ways, it
closes the time of both. One opening too few is a nuisance; one too many is a double booking.
"""

from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from adapters.ascend.wire import Row, linked_id
from adapters.rows import blocks_for_closure, parse_instant
from domain.calendar import Block
from domain.interval import Interval
from domain.local_time import instant

ONCE = frozenset({"", "NONE", "NEVER", "ONCE"})
YEARLY = frozenset({"YEARLY", "ANNUALLY"})
KNOWN_KINDS = ONCE | YEARLY | {"DAILY", "WEEKLY", "MONTHLY"}
ONE_DAY = timedelta(days=1)
MINUTES_PER_DAY = 24 * 60
"""Also the length of an event whose own length cannot be read."""
MAX_NUMBER = 100 * 366 * MINUTES_PER_DAY
"""The minutes of a century. A larger number in a row counts as unreadable."""
LATEST_END = datetime(3000, 1, 1, tzinfo=UTC)
"""Later times are cut to this one, so that adding days to them does not overflow."""


def recurrence_kind(row: Row) -> str:
    """How the event recurs. A kind outside ``KNOWN_KINDS`` is treated as daily."""
    return str(row.get("recurrenceType") or "").upper()


def blocks(row: Row, around: Interval, tz: ZoneInfo) -> list[Block]:
    """What an event closes within ``around``, on the location's clock. Raises Unreadable if its time is unreadable."""
    first = _first_occurrence(row, tz)
    begin, end = first.start.astimezone(tz), first.end.astimezone(tz)
    days_long = end.date() - begin.date()
    closed_blocks: list[Block] = []
    search_span = Interval(start=around.start - days_long - ONE_DAY, end=around.end)
    for day in _days_of_occurrence(row, begin.date(), search_span, tz):
        start = instant(day, begin.time(), tz)
        # When the clocks change, the length and the end by the clock differ: the later end counts.
        time = Interval(start=start, end=max(start + first.length, instant(day + days_long, end.time(), tz)))
        if time.overlaps(around):
            closed_blocks += blocks_for_closure(time, linked_id(row, "operatory"), linked_id(row, "provider"))
    return closed_blocks


def _first_occurrence(row: Row, tz: ZoneInfo) -> Interval:
    start = _instant(row, "start", tz)
    end = _instant(row, "end", tz) if row.get("end") else start + _duration(row)
    if row.get("allDay"):
        # An end at midnight closes the day before. An end that is a bare date closes that date.
        last = end if _is_bare_date(row, "end") else end - timedelta(seconds=1)
        days = start.astimezone(tz).date(), max(start, last).astimezone(tz).date() + ONE_DAY
        start, end = (instant(day, time(0), tz) for day in days)
    return Interval(start=start, end=max(start, end))


def _duration(row: Row) -> timedelta:
    return timedelta(minutes=_number(row.get("duration") or 0, default=MINUTES_PER_DAY))


def _days_of_occurrence(row: Row, first_day: date, around: Interval, tz: ZoneInfo) -> Iterator[date]:
    """The local dates within a span on which an occurrence begins."""
    kind = recurrence_kind(row)
    if kind in ONCE:
        yield first_day
        return
    last_day = _last_day(row, "recurrenceEnd", tz) if row.get("recurrenceEnd") else date.max
    frequency = max(1, _number(row.get("recurrenceFrequency"), default=1))
    day = max(first_day, around.start.astimezone(tz).date())
    while day <= min(last_day, around.end.astimezone(tz).date()):
        if _recurs_on(day, kind, frequency, first_day):
            yield day
        day += ONE_DAY


def _recurs_on(day: date, kind: str, frequency: int, first_day: date) -> bool:
    """Whether an event of this kind that began on ``first_day`` also occurs on ``day``."""
    months = (day.year - first_day.year) * 12 + day.month - first_day.month
    if kind == "DAILY":
        return (day - first_day).days % frequency == 0
    if kind == "WEEKLY":
        return (day - first_day).days % (7 * frequency) == 0
    if kind == "MONTHLY" or kind in YEARLY:
        interval = frequency if kind == "MONTHLY" else 12 * frequency
        return months % interval == 0 and _is_same_day_of_month(first_day, day)
    return True


def _is_same_day_of_month(first_day: date, day: date) -> bool:
    """Whether both are the same date of the month, or the same weekday of it.

    The 31st counts as the last day of a shorter month. The second Tuesday recurs on the second Tuesday, the last
    Friday on the last Friday.
    """
    length = monthrange(day.year, day.month)[1]
    if day.day == min(first_day.day, length):
        return True
    is_same_week = (first_day.day - 1) // 7 == (day.day - 1) // 7
    is_last_week = monthrange(first_day.year, first_day.month)[1] - first_day.day < 7 and length - day.day < 7
    return first_day.weekday() == day.weekday() and (is_same_week or is_last_week)


def _number(value: Any, *, default: int) -> int:
    """The value as a whole number, or the default if it is unreadable or beyond ``MAX_NUMBER``."""
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        return default
    return number if abs(number) <= MAX_NUMBER else default


def _capped_instant(row: Row, field: str) -> datetime:
    return min(parse_instant(row, field), LATEST_END)


def _is_bare_date(row: Row, field: str) -> bool:
    return len(str(row.get(field))) == len("2027-01-12")


def _instant(row: Row, field: str, tz: ZoneInfo) -> datetime:
    """The instant in a field. A bare date means midnight on the location's clock."""
    moment = _capped_instant(row, field)
    return instant(moment.date(), time(0), tz) if _is_bare_date(row, field) else moment


def _last_day(row: Row, field: str, tz: ZoneInfo) -> date:
    """The last date of a recurrence: the later one of the location's date and the UTC date, to be safe."""
    moment = _capped_instant(row, field)
    if _is_bare_date(row, field):
        return moment.date()
    return max(moment.astimezone(tz).date(), moment.astimezone(UTC).date())
