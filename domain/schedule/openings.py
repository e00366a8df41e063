"""What can be offered: all free slots of some days, and the nearest ones to a time that was lost."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta

from domain.interval import Interval
from domain.rules import ServiceRule
from domain.schedule.conflicts import Facts, grid, hours_on, in_windows, opening_interval, rule_conflicts
from domain.slot import Cause, Slot


def candidates(
    start: datetime, rule: ServiceRule, provider: str | None = None, operatory: str | None = None
) -> tuple[Slot, ...]:
    """Every (provider, operatory) the rule allows at ``start``, in the rule's own order of preference."""
    return tuple(
        Slot(time=Interval(start=start, end=start + rule.duration_with(p)), provider=p, operatory=o)
        for p in rule.providers
        if provider in (None, p)
        for o in rule.operatories
        if operatory in (None, o)
    )


def openings(facts: Facts, first: date, days: int) -> tuple[Slot, ...]:
    """Every free slot of ``days`` local dates from ``first``, by start, then in the rule's order."""
    return tuple(_openings(facts, first, days))


def alternatives(start: datetime, facts: Facts, *, provider: str | None = None, count: int = 3) -> tuple[Slot, ...]:
    """The nearest free slots to ``start`` within the calendar's span: its own day first, one slot a start."""
    tz = facts.rule.tz
    day = start.astimezone(tz).date()
    first = facts.calendar.span.start.astimezone(tz).date()
    days = (facts.calendar.span.end.astimezone(tz).date() - first).days + 1
    by_start: dict[datetime, Slot] = {}
    for slot in _openings(facts, first, days):
        if provider in (None, slot.provider) and facts.calendar.span.contains(slot.time):
            by_start.setdefault(slot.time.start, slot)
    nearest = sorted(
        by_start.values(),
        key=lambda slot: (
            slot.time.start.astimezone(tz).date() != day,
            abs(slot.time.start - start),
            slot.time.start,
        ),
    )
    return tuple(nearest[:count])


def _openings(facts: Facts, first: date, days: int) -> Iterator[Slot]:
    rule = facts.rule
    if rule.call_only or not rule.providers or not rule.operatories:
        return
    busy = _Busy(facts)
    pairs = [(p, rule.duration_with(p), o) for p in rule.providers for o in rule.operatories]
    shortest = min(length for _, length, _ in pairs)
    for offset in range(days):
        day = first + timedelta(days=offset)
        for hours in hours_on(day, rule):
            closes = opening_interval(day, hours, rule).end
            for start in grid(day, hours, rule):
                if start + shortest > closes or not _rules_allow(start, facts):
                    continue
                for provider, length, operatory in pairs:
                    if start + length > closes or not busy.free(start, length, provider, operatory):
                        continue
                    time = Interval(start=start, end=start + length)
                    slot = Slot(time=time, provider=provider, operatory=operatory)
                    if not rule.only_in_windows or in_windows(slot, facts.calendar, rule):
                        yield slot


def _rules_allow(start: datetime, facts: Facts) -> bool:
    """The rules that do not depend on who and where."""
    rule = facts.rule
    time = Interval(start=start, end=start + rule.duration_with(rule.providers[0]))
    probe = Slot(time=time, provider=rule.providers[0], operatory=rule.operatories[0])
    return all(c.cause in (Cause.HOURS, Cause.WINDOW) for c in rule_conflicts(probe, facts))


Stretches = tuple[list[float], list[float]]


class _Busy:
    """When each provider and operatory is taken, as merged, sorted stretches of UTC seconds."""

    def __init__(self, facts: Facts) -> None:
        rule = facts.rule
        self._before, self._after = rule.buffer_before, rule.buffer_after
        taken: dict[str, list[tuple[float, float]]] = {}
        blocked: dict[str, list[tuple[float, float]]] = {}
        both: list[tuple[float, float, str, str]] = []
        for a in facts.calendar.appointments:
            if a.status.occupies_chair:
                for resource in (*_provider_keys(a.providers), f"o{a.operatory}"):
                    taken.setdefault(resource, []).append(_seconds(a.time))
        for claim in facts.claims:
            for resource in (f"p{claim.provider}", f"o{claim.operatory}"):
                taken.setdefault(resource, []).append(_seconds(claim.time))
        for block in facts.calendar.blocks:
            if block.operatory is not None and block.provider is not None:
                both.append((*_seconds(block.time), block.provider, block.operatory))
                continue
            resource = f"o{block.operatory}" if block.operatory else f"p{block.provider}" if block.provider else "*"
            blocked.setdefault(resource, []).append(_seconds(block.time))
        self._taken = {resource: _merged(times) for resource, times in taken.items()}
        self._blocked = {resource: _merged(times) for resource, times in blocked.items()}
        self._both = both

    def free(self, start: datetime, length: timedelta, provider: str, operatory: str) -> bool:
        begin, end = start.timestamp(), (start + length).timestamp()
        wide = begin - self._before.total_seconds(), end + self._after.total_seconds()
        resources = (f"p{provider}", f"o{operatory}")
        if any(_hits(self._taken.get(r), *wide) for r in resources):
            return False
        if any(_hits(self._blocked.get(r), begin, end) for r in (*resources, "*")):
            return False
        return not any(
            p == provider and o == operatory and begin < until and since < end for since, until, p, o in self._both
        )


def _provider_keys(providers: Iterable[str]) -> list[str]:
    return [f"p{provider}" for provider in providers]


def _seconds(time: Interval) -> tuple[float, float]:
    return time.start.timestamp(), time.end.timestamp()


def _merged(times: list[tuple[float, float]]) -> Stretches:
    starts: list[float] = []
    ends: list[float] = []
    for start, end in sorted(times):
        if ends and start <= ends[-1]:
            ends[-1] = max(ends[-1], end)
        elif end > start:
            starts.append(start)
            ends.append(end)
    return starts, ends


def _hits(stretches: Stretches | None, begin: float, end: float) -> bool:
    """Whether ``[begin, end)`` overlaps any stretch: the last one that starts before ``end`` decides."""
    if stretches is None:
        return False
    starts, ends = stretches
    last = bisect_left(starts, end) - 1
    return last >= 0 and ends[last] > begin
