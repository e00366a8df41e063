"""When somebody is at the front desk. What the desk must do in time is counted in these hours only."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from domain.base import Value
from domain.interval import Interval
from domain.local_time import instant, local_day
from domain.rules import HoursSpan

MAX_DAYS = 366
"""How far to count. A time that is not reached by then lies there."""

MIDNIGHT = time(0)


class DeskHours(Value):
    """Wall-clock hours in the location's zone. Without any, all time counts."""

    hours: dict[int, tuple[HoursSpan, ...]] = {}
    """By ISO weekday (1 is Monday, 7 is Sunday). Nobody is there on a missing day."""
    closed_on: frozenset[date] = frozenset()

    @property
    def week_length(self) -> timedelta:
        """How long somebody is there in a week without closed days."""
        lengths = (_length(span) for spans in self.hours.values() for span in spans)
        return sum(lengths, timedelta(0)) if self.hours else timedelta(days=7)

    def add(self, begin: datetime, duration: timedelta, tz: ZoneInfo) -> datetime:
        """The UTC instant at which the desk has been open for ``duration`` since ``begin``."""
        return self._count(begin, duration, tz, forward=True)

    def subtract(self, end: datetime, duration: timedelta, tz: ZoneInfo) -> datetime:
        """The latest UTC instant from which the desk is open for ``duration`` until ``end``."""
        return self._count(end, duration, tz, forward=False)

    def _count(self, origin: datetime, duration: timedelta, tz: ZoneInfo, *, forward: bool) -> datetime:
        origin = origin.astimezone(UTC)  # arithmetic in a zone with clock changes would count wall-clock time
        step, remaining = timedelta(days=1 if forward else -1), duration
        if duration <= timedelta(0) or not self.hours:
            return origin + duration if forward else origin - duration
        day = origin.astimezone(tz).date()
        for _ in range(MAX_DAYS):
            spans = [_part(span, origin, forward=forward) for span in self._open_on(day, tz)]
            for span in spans if forward else reversed(spans):
                if span.length >= remaining:
                    return span.start + remaining if forward else span.end - remaining
                remaining -= span.length
            day += step
        return local_day(day, tz).start

    def _open_on(self, day: date, tz: ZoneInfo) -> Iterator[Interval]:
        """The open hours of a local date in UTC. Hours that a clock change skips are left out."""
        if day in self.closed_on:
            return
        for span in self.hours.get(day.isoweekday(), ()):
            closing_day = day + timedelta(days=1) if span.close == MIDNIGHT else day
            start, end = instant(day, span.open, tz), instant(closing_day, span.close, tz)
            if start < end:
                yield Interval(start=start, end=end)


def merge_spans(spans: Iterable[HoursSpan]) -> tuple[HoursSpan, ...]:
    """The same hours of one day in order and without overlap."""
    merged: list[HoursSpan] = []
    for span in sorted(spans, key=lambda each: each.open):
        last = merged[-1] if merged else None
        if last is not None and (last.close == MIDNIGHT or span.open <= last.close):
            closes_latest = MIDNIGHT if MIDNIGHT in (last.close, span.close) else max(last.close, span.close)
            merged[-1] = HoursSpan(open=last.open, close=closes_latest)
        else:
            merged.append(span)
    return tuple(merged)


def _length(span: HoursSpan) -> timedelta:
    """On the wall clock."""
    day = date.min
    opens, closes = datetime.combine(day, span.open), datetime.combine(day, span.close)
    return closes - opens if opens < closes else closes + timedelta(days=1) - opens


def _part(span: Interval, origin: datetime, *, forward: bool) -> Interval:
    """The part of ``span`` that lies after ``origin``, or before it. Empty if there is none."""
    if forward:
        return Interval(start=max(span.start, min(origin, span.end)), end=span.end)
    return Interval(start=span.start, end=min(span.end, max(origin, span.start)))
