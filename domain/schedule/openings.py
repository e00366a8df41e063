"""Openings: all free slots of some days, and alternatives to a slot that could not be had.

``conflicts`` judges one slot at a time. Here the rules are applied once a day instead. Every appointment, block and
claim becomes the set of starts that it takes from a provider, an operatory or both. The starts in none of these sets
are free. A test holds that both give the same result.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from itertools import chain, compress, product
from typing import NamedTuple

from domain.calendar import Window
from domain.interval import Interval, lasting
from domain.rules import ServiceRule
from domain.schedule.conflicts import Facts, window_allows, with_buffers
from domain.schedule.starts import Seconds, Starts, merge_spans, to_seconds
from domain.slot import Slot


def candidate_slots(
    start: datetime, rule: ServiceRule, provider: str | None = None, operatory: str | None = None
) -> tuple[Slot, ...]:
    """Every pair of provider and operatory that the rule allows at ``start``, in the rule's order of preference."""
    return tuple(
        Slot(time=lasting(start, rule.duration_with(p)), provider=p, operatory=o)
        for p in rule.providers
        if provider in (None, p)
        for o in rule.operatories
        if operatory in (None, o)
    )


def openings(facts: Facts, first: date, days: int) -> Iterator[Slot]:
    """Every free slot of ``days`` local dates from ``first``, by start, then in the rule's order of preference.

    The slots are built lazily, because there may be hundreds of thousands.
    """
    starts = Starts(facts, first, days)
    return chain.from_iterable(_slots_by_start(starts, _pairs(facts, starts)))


def alternatives(start: datetime, facts: Facts, *, provider: str | None = None, count: int = 3) -> tuple[Slot, ...]:
    """The free slots nearest to ``start`` within the calendar's span, at most one a start.

    Slots on the same local day come first. ``count`` is the maximum.
    """
    tz, calendar_span, rule = facts.rule.tz, facts.calendar.span, facts.rule
    day, first, last = (moment.astimezone(tz).date() for moment in (start, calendar_span.start, calendar_span.end))
    starts = Starts(facts, first, (last - first).days + 1)
    pairs = [pair for pair in _pairs(facts, starts) if provider in (None, pair.provider)]
    # Outside ``calendar_span`` the calendar was not read, so a buffer that reaches there cannot be judged.
    preferred = (
        next((slot for slot in slots if calendar_span.contains(with_buffers(slot, rule))), None)
        for slots in _slots_by_start(starts, pairs)
    )
    nearest = sorted(
        (slot for slot in preferred if slot is not None),
        key=lambda slot: (slot.time.start.astimezone(tz).date() != day, abs(slot.time.start - start), slot.time.start),
    )
    return tuple(nearest[:count])


class _Pair(NamedTuple):
    """A provider and an operatory, and the starts at which both are free for the whole visit."""

    provider: str
    operatory: str
    seconds: float
    """Length of the visit."""
    free_starts: int
    """A set of starts, as ``Starts`` defines it."""


def _slots_by_start(starts: Starts, pairs: list[_Pair]) -> Iterator[Iterator[Slot]]:
    """For each start its free slots, in the order of the pairs."""
    columns = zip(*(starts.flags(pair.free_starts) for pair in pairs), strict=True)
    for start, column in zip(starts.times, columns, strict=False):  # no columns without pairs
        yield _slots_at(start, compress(pairs, column))


def _slots_at(start: datetime, pairs: Iterable[_Pair]) -> Iterator[Slot]:
    intervals: dict[float, Interval] = {}  # built once for each length, because validation is slow
    for provider, operatory, seconds, _ in pairs:
        if seconds not in intervals:
            intervals[seconds] = Interval(start=start, end=start + timedelta(seconds=seconds))
        yield Slot(time=intervals[seconds], provider=provider, operatory=operatory)


def _pairs(facts: Facts, starts: Starts) -> list[_Pair]:
    rule = facts.rule
    if rule.call_only:
        return []
    lengths = {provider: rule.duration_with(provider).total_seconds() for provider in rule.providers}
    lengths = {p: seconds for p, seconds in lengths.items() if p not in facts.calendar.inactive_providers}
    busy_by_length = _busy_starts(facts, starts, set(lengths.values()))
    windows = _windows_by_operatory(facts)
    pairs = []
    operatories = [o for o in rule.operatories if o not in facts.calendar.inactive_operatories]
    for (provider, seconds), operatory in product(lengths.items(), operatories):
        busy = busy_by_length[seconds]
        free = ~(busy[provider, operatory] | busy[provider, None] | busy[None, operatory] | busy[None, None])
        if rule.only_in_windows:
            allowed = [span for span, window in windows[operatory] if window_allows(window, provider, rule)]
            free &= starts.within(merge_spans(allowed), seconds)
        pairs.append(_Pair(provider, operatory, seconds, free))
    return pairs


BusyStarts = dict[tuple[str | None, str | None], int]
"""By provider and operatory (``None``: any), the set of starts at which a visit of some length does not fit."""


def _busy_starts(facts: Facts, starts: Starts, lengths: Iterable[float]) -> dict[float, BusyStarts]:
    busy_spans = list(_busy_spans(facts))
    blocks = [(to_seconds(block.time), (block.provider, block.operatory)) for block in facts.calendar.blocks]
    by_length: dict[float, BusyStarts] = {}
    for seconds in lengths:
        busy: BusyStarts = defaultdict(int)
        busy[None, None] = ~starts.within(starts.hours, seconds)
        for span, operatory, providers in busy_spans:
            if overlapping := starts.overlapping(span, seconds):
                busy[None, operatory] |= overlapping
                for provider in providers:
                    busy[provider, None] |= overlapping
        for span, provider_and_operatory in blocks:
            busy[provider_and_operatory] |= starts.overlapping(span, seconds)
        by_length[seconds] = busy
    return by_length


def _busy_spans(facts: Facts) -> Iterator[tuple[Seconds, str, tuple[str, ...]]]:
    """The time, operatory and providers of every appointment and claim.

    Each time is widened by the rule's buffers, with their sides swapped: a visit needs its buffer before it, so it
    cannot start that soon after an appointment ends.
    """
    before, after = facts.rule.buffer_before.total_seconds(), facts.rule.buffer_after.total_seconds()
    for appointment in facts.calendar.appointments:
        if appointment.status.occupies_time:
            begin, end = to_seconds(appointment.time)
            yield (begin - after, end + before), appointment.operatory, appointment.providers
    for claim in facts.claims:
        begin, end = to_seconds(claim.time)
        yield (begin - after, end + before), claim.operatory, (claim.provider,)


def _windows_by_operatory(facts: Facts) -> dict[str, list[tuple[Seconds, Window]]]:
    windows: dict[str, list[tuple[Seconds, Window]]] = defaultdict(list)
    for window in facts.calendar.windows or ():
        windows[window.operatory].append((to_seconds(window.time), window))
    return windows
