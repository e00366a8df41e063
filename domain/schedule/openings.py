"""What can be offered: all free slots of some days, and the nearest ones to a time that was lost.

Rules are applied once a day, not once a slot. Whatever the calendar holds becomes the set of starts it takes from a
provider, an operatory or both; what is left of all starts is free. ``conflicts`` says the same slot by slot.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from itertools import chain, compress, product
from typing import NamedTuple

from domain.calendar import Window
from domain.interval import Interval
from domain.rules import ServiceRule
from domain.schedule.conflicts import Facts, meant_for, needed
from domain.schedule.starts import Starts, Stretch, joined, stretch
from domain.slot import Slot


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


def openings(facts: Facts, first: date, days: int) -> Iterator[Slot]:
    """Every free slot of ``days`` local dates from ``first``, by start, then in the rule's order.

    Which slots are free is known at once; each is built as it is read, since there may be hundreds of thousands.
    """
    starts = Starts(facts, first, days)
    return chain.from_iterable(_by_start(starts, _pairs(facts, starts)))


def alternatives(start: datetime, facts: Facts, *, provider: str | None = None, count: int = 3) -> tuple[Slot, ...]:
    """The nearest free slots to ``start`` within the calendar's span: its own day first, one slot a start."""
    tz, known, rule = facts.rule.tz, facts.calendar.span, facts.rule
    day, first, last = (moment.astimezone(tz).date() for moment in (start, known.start, known.end))
    starts = Starts(facts, first, (last - first).days + 1)
    pairs = [pair for pair in _pairs(facts, starts) if provider in (None, pair.provider)]
    found = (
        next((slot for slot in slots if known.contains(needed(slot, rule))), None) for slots in _by_start(starts, pairs)
    )
    nearest = sorted(
        (slot for slot in found if slot is not None),
        key=lambda slot: (slot.time.start.astimezone(tz).date() != day, abs(slot.time.start - start), slot.time.start),
    )
    return tuple(nearest[:count])


class _Pair(NamedTuple):
    """Who and where, and the starts at which both are free for the whole visit."""

    provider: str
    operatory: str
    seconds: float
    free: int


def _by_start(starts: Starts, pairs: list[_Pair]) -> Iterator[Iterator[Slot]]:
    """For each start its free slots, in the order of the pairs."""
    columns = zip(*(starts.flags(pair.free) for pair in pairs), strict=True)
    for start, column in zip(starts.times, columns, strict=False):
        yield _slots(start, compress(pairs, column))


def _slots(start: datetime, pairs: Iterable[_Pair]) -> Iterator[Slot]:
    times: dict[float, Interval] = {}
    for provider, operatory, seconds, _ in pairs:
        if seconds not in times:
            times[seconds] = Interval(start=start, end=start + timedelta(seconds=seconds))
        yield Slot(time=times[seconds], provider=provider, operatory=operatory)


def _pairs(facts: Facts, starts: Starts) -> list[_Pair]:
    rule = facts.rule
    if rule.call_only:
        return []
    lengths = {provider: rule.duration_with(provider).total_seconds() for provider in rule.providers}
    taken = _taken(facts, starts, set(lengths.values()))
    windows = _windows(facts)
    pairs = []
    for (provider, seconds), operatory in product(lengths.items(), rule.operatories):
        by = taken[seconds]
        free = ~(by[provider, operatory] | by[provider, None] | by[None, operatory] | by[None, None])
        if rule.only_in_windows:
            meant = [time for time, window in windows[operatory] if meant_for(window, provider, rule)]
            free &= starts.within(joined(meant), seconds)
        pairs.append(_Pair(provider, operatory, seconds, free))
    return pairs


Taken = dict[tuple[str | None, str | None], int]
"""By provider and operatory, ``None`` for any: the starts that are no use to a visit of some length."""


def _taken(facts: Facts, starts: Starts, lengths: Iterable[float]) -> dict[float, Taken]:
    visits = list(_visits(facts))
    blocks = [(stretch(block.time), (block.provider, block.operatory)) for block in facts.calendar.blocks]
    by_length: dict[float, Taken] = {}
    for seconds in lengths:
        taken: Taken = defaultdict(int)
        taken[None, None] = ~starts.within(starts.hours, seconds)
        for time, operatory, providers in visits:
            if met := starts.overlapping(time, seconds):
                taken[None, operatory] |= met
                for provider in providers:
                    taken[provider, None] |= met
        for time, concerned in blocks:
            taken[concerned] |= starts.overlapping(time, seconds)
        by_length[seconds] = taken
    return by_length


def _visits(facts: Facts) -> Iterator[tuple[Stretch, str, tuple[str, ...]]]:
    """What every appointment and claim keeps from a visit, buffers included: its time, operatory and providers."""
    before, after = facts.rule.buffer_before.total_seconds(), facts.rule.buffer_after.total_seconds()
    for appointment in facts.calendar.appointments:
        if appointment.status.occupies_chair:
            begin, end = stretch(appointment.time)
            yield (begin - after, end + before), appointment.operatory, appointment.providers
    for claim in facts.claims:
        begin, end = stretch(claim.time)
        yield (begin - after, end + before), claim.operatory, (claim.provider,)


def _windows(facts: Facts) -> dict[str, list[tuple[Stretch, Window]]]:
    """The practice's own windows by operatory."""
    windows: dict[str, list[tuple[Stretch, Window]]] = defaultdict(list)
    for window in facts.calendar.windows or ():
        windows[window.operatory].append((stretch(window.time), window))
    return windows
