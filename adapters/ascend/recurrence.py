"""The times at which an event closes the practice.

The vendor does not publish how Ascend writes recurrences and all-day events. If a row can be read in two ways, it
closes the time of both. One opening too few is a nuisance; one too many is a double booking.
"""

from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from adapters.ascend.wire import linked_id
from adapters.errors import Unreadable
from adapters.rows import (
    EARLIEST,
    LATEST,
    Row,
    blocks_for_closure,
    parse_instant,
    parse_set_instant,
    readable_instant,
    required_id,
)
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
LONGEST_OCCURRENCE = timedelta(days=100)
"""An event that recurs and is longer than this closes all the time from its first day on."""


def recurrence_kind(row: Row) -> str:
    """How the event recurs. A kind outside ``KNOWN_KINDS`` is treated as daily."""
    return str(row.get("recurrenceType") or "").upper()


def check(row: Row) -> None:
    """Raises Unreadable if the event closes more than it should, or nothing, because a field is unreadable."""
    required_id(row)
    start = parse_set_instant(row, "start")
    if row.get("end") and parse_set_instant(row, "end") < start:
        raise Unreadable("end")
    for field in ("operatory", "provider", "location"):
        linked_id(row, field)


def blocks(row: Row, around: Interval, tz: ZoneInfo) -> list[Block]:
    """What an event closes within ``around``, on the location's clock. Where a field is unreadable, what it may close.

    An event that names an unreadable operatory or provider may close any. An event that never says when it starts
    lasts until its end, and if that is unreadable too, always.
    """
    first = _first_occurrence(row, tz)
    if recurrence_kind(row) not in ONCE and first.length > LONGEST_OCCURRENCE:
        times = [Interval(start=first.start, end=LATEST)]
    else:
        times = list(_occurrences(row, first, around, tz))
    return [block for time in times if time.overlaps(around) for block in _blocks_of(row, time)]


def _blocks_of(row: Row, time: Interval) -> Iterator[Block]:
    try:
        yield from blocks_for_closure(time, linked_id(row, "operatory"), linked_id(row, "provider"))
    except Unreadable:
        yield Block(time=time)


def _occurrences(row: Row, first: Interval, around: Interval, tz: ZoneInfo) -> Iterator[Interval]:
    begin, end = first.start.astimezone(tz), first.end.astimezone(tz)
    days_long = end.date() - begin.date()
    search_span = Interval(start=max(EARLIEST, around.start - days_long - ONE_DAY), end=around.end)
    for day in _days_of_occurrence(row, begin.date(), search_span, tz):
        start = instant(day, begin.time(), tz)
        # When the clocks change, the length and the end by the clock differ: the later end counts.
        yield Interval(start=start, end=max(start + first.length, instant(day + days_long, end.time(), tz)))


def _first_occurrence(row: Row, tz: ZoneInfo) -> Interval:
    try:
        start = _instant(row, "start", tz)
    except Unreadable:
        return Interval(start=EARLIEST, end=readable_instant(row, "end") or LATEST)
    end = _end(row, start, tz)
    if row.get("allDay"):
        # An end at midnight closes the day before. An end that is a bare date closes that date.
        last = end if _is_bare_date(row, "end") else end - timedelta(seconds=1)
        days = start.astimezone(tz).date(), max(start, last).astimezone(tz).date() + ONE_DAY
        start, end = (instant(day, time(0), tz) for day in days)
    return Interval(start=start, end=max(start, end))


def _end(row: Row, start: datetime, tz: ZoneInfo) -> datetime:
    """The stated end. If that is before the start or unreadable, the end by the duration, or a day later."""
    if row.get("end"):
        try:
            end = _instant(row, "end", tz)
        except Unreadable:
            end = EARLIEST
        if end >= start:
            return end
        return start + (_duration(row) or ONE_DAY)
    return start + _duration(row)


def _duration(row: Row) -> timedelta:
    return timedelta(minutes=max(0, _number(row.get("duration") or 0, default=MINUTES_PER_DAY)))


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


def _is_bare_date(row: Row, field: str) -> bool:
    return len(str(row.get(field))) == len("2027-01-12")


def _instant(row: Row, field: str, tz: ZoneInfo) -> datetime:
    """The instant in a field. A bare date means midnight on the location's clock."""
    moment = parse_instant(row, field)
    return instant(moment.date(), time(0), tz) if _is_bare_date(row, field) else moment


def _last_day(row: Row, field: str, tz: ZoneInfo) -> date:
    """The last date of a recurrence: the later one of the location's date and the UTC date, to be safe."""
    moment = parse_instant(row, field)
    if _is_bare_date(row, field):
        return moment.date()
    return max(moment.astimezone(tz).date(), moment.astimezone(UTC).date())
