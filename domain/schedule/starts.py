"""The possible starts of visits. A set of starts is an integer with one bit for each start, the first one lowest."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from itertools import count, takewhile

from domain.interval import Interval
from domain.local_time import instant, local_day, wall_time_exists
from domain.rules import HoursSpan, ServiceRule
from domain.schedule.conflicts import Facts, hours_on, opening_interval

Seconds = tuple[float, float]
"""An interval ``[begin, end)`` in UTC seconds. Numbers compare many times faster than aware datetimes."""


def merge_spans(spans: Iterable[Seconds]) -> list[Seconds]:
    """The same time in as few spans as possible: spans that overlap or touch become one."""
    merged: list[Seconds] = []
    for begin, end in sorted(spans):
        if merged and begin <= merged[-1][1]:
            begin, end = merged[-1][0], max(end, merged.pop()[1])
        merged.append((begin, end))
    return merged


def to_seconds(time: Interval) -> Seconds:
    return time.start.timestamp(), time.end.timestamp()


class Starts:
    """Every start that the rules allow on ``days`` local dates from ``first``, in order, for any provider."""

    def __init__(self, facts: Facts, first: date, days: int) -> None:
        dates = [first + timedelta(days=n) for n in range(days)]
        spans = [(day, span) for day in dates if _day_is_bookable(day, facts) for span in hours_on(day, facts.rule)]
        self.hours = [to_seconds(opening_interval(day, span, facts.rule)) for day, span in spans]
        """Opening hours. A visit must also end within them."""
        self.times = _bookable_now([start for day, span in spans for start in grid(day, span, facts.rule)], facts)
        self._seconds = [time.timestamp() for time in self.times]
        self._lower_bits = [(1 << n) - 1 for n in range(len(self.times) + 1)]

    def overlapping(self, span: Seconds, seconds: float) -> int:
        """The set of starts from which a visit of this length overlaps ``span``."""
        begin, end = span
        return self._range(bisect_right(self._seconds, begin - seconds), bisect_left(self._seconds, end))

    def within(self, spans: Iterable[Seconds], seconds: float) -> int:
        """The set of starts from which a visit of this length lies wholly in one of ``spans``."""
        result = 0
        for begin, end in spans:
            result |= self._range(bisect_left(self._seconds, begin), bisect_right(self._seconds, end - seconds))
        return result

    def _range(self, first: int, end: int) -> int:
        """The set of the starts number ``first`` up to but not including ``end``."""
        return self._lower_bits[end] ^ self._lower_bits[first] if first < end else 0

    def flags(self, starts: int) -> bytes:
        """A set of starts as bytes: 1 for each start in the set, 0 for each other one."""
        return f"{starts:0{len(self.times)}b}"[::-1].encode().translate(_DIGIT_VALUES)


_DIGIT_VALUES = bytes.maketrans(b"01", b"\0\1")


def grid(day: date, span: HoursSpan, rule: ServiceRule) -> list[datetime]:
    """Wall-clock starts every ``slot_step`` from opening to closing, in UTC.

    Wall-clock times that do not exist are left out. A time that occurs twice counts once, at its first instant.
    """
    opening, step = opening_interval(day, span, rule), rule.slot_step
    if local_day(day, rule.tz).length == timedelta(days=1):
        return [opening.start + n * step for n in range(-(-opening.length // step))]
    first = datetime.combine(day, span.open)
    wall_times = takewhile(lambda wall: wall.date() == day, (first + n * step for n in count()))
    starts = (instant(day, wall.time(), rule.tz) for wall in wall_times if wall_time_exists(wall, rule.tz))
    return [start for start in starts if opening.start <= start < opening.end]


def _bookable_now(starts: list[datetime], facts: Facts) -> list[datetime]:
    """The starts that are in the future, give enough notice and lie within the horizon."""
    rule, now = facts.rule, facts.now
    first = max(bisect_right(starts, now), bisect_left(starts, now + rule.minimum_notice))
    return starts[first : bisect_left(starts, now + rule.horizon)]


def _day_is_bookable(day: date, facts: Facts) -> bool:
    """Whether same-day cutoff and daily cap leave any start on this day."""
    rule, now = facts.rule, facts.now.astimezone(facts.rule.tz)
    if rule.same_day_cutoff is not None and day == now.date() and now.time() >= rule.same_day_cutoff:
        return False
    return rule.daily_cap is None or facts.booked.get(day, 0) < rule.daily_cap
