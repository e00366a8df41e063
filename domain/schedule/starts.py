"""The instants at which a visit may begin, and sets of them as integers with one bit a start."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from itertools import count, takewhile

from domain.interval import Interval
from domain.local_time import exists, instant, local_day
from domain.rules import HoursSpan, ServiceRule
from domain.schedule.conflicts import Facts, hours_on, opening_interval

Stretch = tuple[float, float]
"""``[begin, end)`` in UTC seconds: numbers compare many times faster than aware datetimes."""


def joined(stretches: Iterable[Stretch]) -> list[Stretch]:
    """The same time in as few stretches as possible: what overlaps or touches becomes one."""
    found: list[Stretch] = []
    for begin, end in sorted(stretches):
        if found and begin <= found[-1][1]:
            begin, end = found[-1][0], max(end, found.pop()[1])
        found.append((begin, end))
    return found


def stretch(time: Interval) -> Stretch:
    return time.start.timestamp(), time.end.timestamp()


class Starts:
    """Every start the rules allow on ``days`` local dates from ``first``, whoever and wherever, in order."""

    def __init__(self, facts: Facts, first: date, days: int) -> None:
        dates = [first + timedelta(days=n) for n in range(days)]
        spans = [(day, span) for day in dates if _open_to_us(day, facts) for span in hours_on(day, facts.rule)]
        self.hours = [stretch(opening_interval(day, span, facts.rule)) for day, span in spans]
        """When the practice is open: a start counts only where the visit ends by closing time."""
        self.times = _in_time([start for day, span in spans for start in grid(day, span, facts.rule)], facts)
        self._seconds = [time.timestamp() for time in self.times]
        self._below = [(1 << n) - 1 for n in range(len(self.times) + 1)]

    def overlapping(self, time: Stretch, seconds: float) -> int:
        """The starts from which a visit of so many seconds would overlap ``time``."""
        begin, end = time
        return self._range(bisect_right(self._seconds, begin - seconds), bisect_left(self._seconds, end))

    def within(self, times: Iterable[Stretch], seconds: float) -> int:
        """The starts from which a visit of so many seconds would lie wholly in one of ``times``."""
        found = 0
        for begin, end in times:
            found |= self._range(bisect_left(self._seconds, begin), bisect_right(self._seconds, end - seconds))
        return found

    def _range(self, first: int, end: int) -> int:
        return self._below[end] ^ self._below[first] if first < end else 0

    def flags(self, chosen: int) -> bytes:
        """A set of starts as bytes, 1 for each that is in it and 0 for each that is not."""
        return f"{chosen:0{len(self.times)}b}"[::-1].encode().translate(_DIGITS)


_DIGITS = bytes.maketrans(b"01", b"\0\1")


def grid(day: date, span: HoursSpan, rule: ServiceRule) -> list[datetime]:
    """Starts on the wall clock, every ``slot_step`` from opening to closing, in UTC.

    Readings that do not exist are left out; one that occurs twice counts once, the first time.
    """
    opening, step = opening_interval(day, span, rule), rule.slot_step
    if local_day(day, rule.tz).length == timedelta(days=1):
        return [opening.start + n * step for n in range(-(-opening.length // step))]
    wall = datetime.combine(day, span.open)
    readings = takewhile(lambda reading: reading.date() == day, (wall + n * step for n in count()))
    starts = (instant(day, reading.time(), rule.tz) for reading in readings if exists(reading, rule.tz))
    return [start for start in starts if opening.start <= start < opening.end]


def _in_time(starts: list[datetime], facts: Facts) -> list[datetime]:
    """Those neither past, nor on too short notice, nor beyond the horizon."""
    rule, now = facts.rule, facts.now
    first = max(bisect_right(starts, now), bisect_left(starts, now + rule.minimum_notice))
    return starts[first : bisect_left(starts, now + rule.horizon)]


def _open_to_us(day: date, facts: Facts) -> bool:
    """Whether same-day cut-off and daily cap leave anything of this day."""
    rule, now = facts.rule, facts.now.astimezone(facts.rule.tz)
    if rule.same_day_cutoff is not None and day == now.date() and now.time() >= rule.same_day_cutoff:
        return False
    return rule.daily_cap is None or facts.booked.get(day, 0) < rule.daily_cap
