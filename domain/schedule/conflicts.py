"""Every reason why a slot is not free."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from domain.calendar import Appointment, Block, Calendar, Window
from domain.interval import Interval
from domain.local_time import instant
from domain.rules import HoursSpan, ServiceRule
from domain.slot import Cause, Conflict, Slot

NOBODY: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Facts:
    """All that a decision rests on: the rule, one reading of the calendar, our own claims, and the time."""

    rule: ServiceRule
    calendar: Calendar
    now: datetime
    asked_at: datetime | None = None
    """When it was asked for, where the answer took its time: notice, cut-off and horizon are judged at that instant."""
    staff_override: bool = False
    """A person of the practice has it in hand: notice, cut-off and horizon are not judged any more."""
    claims: tuple[Slot, ...] = ()
    """Other bookings of ours that are being written now."""
    booked: Mapping[date, int] = field(default_factory=dict)
    """Visits of this service per local day that came through us, this one not counted."""


def conflicts(
    slot: Slot, facts: Facts, *, ignoring: frozenset[str] = NOBODY, ignoring_reference: str | None = None
) -> tuple[Conflict, ...]:
    """Rule causes first, then what the calendar holds; empty means free."""
    busy = (
        a
        for a in facts.calendar.appointments
        if a.id not in ignoring and (ignoring_reference is None or a.reference != ignoring_reference)
    )
    return (
        *_rule_conflicts(slot, facts),
        *_taken(slot, facts.rule, busy),
        *_blocked(slot, facts.calendar.blocks),
        *_claimed(slot, facts.rule, facts.claims),
    )


def overlapping(slot: Slot, calendar: Calendar, *, ignoring: frozenset[str] = NOBODY) -> tuple[Conflict, ...]:
    """What really lies over the slot, rules and buffers aside: for the look after a write."""
    found: list[Conflict] = []
    for appointment in calendar.appointments:
        if appointment.id in ignoring or not appointment.status.occupies_chair:
            continue
        cause = _shared(slot, appointment)
        if cause is not None and slot.time.overlaps(appointment.time):
            found.append(_because(cause, slot, appointment))
    return (*found, *_blocked(slot, calendar.blocks))


def _rule_conflicts(slot: Slot, facts: Facts) -> Iterator[Conflict]:
    """What the practice's own rules say against it, whatever the calendar holds."""
    rule, start = facts.rule, slot.time.start
    if (
        rule.call_only
        or slot.provider not in rule.providers
        or slot.operatory not in rule.operatories
        or slot.time.length != rule.duration_with(slot.provider)
    ):
        yield Conflict(cause=Cause.RULE)
    if start <= facts.now:
        yield Conflict(cause=Cause.NOTICE)
    elif not facts.staff_override:
        yield from _asked_in_time(start, facts.asked_at or facts.now, rule)
    local_start = start.astimezone(rule.tz)
    opened = _opening_around(slot.time, rule)
    if opened is None:
        yield Conflict(cause=Cause.HOURS)
    elif not _on_grid(local_start, opened, rule):
        yield Conflict(cause=Cause.STEP)
    if rule.only_in_windows and not _in_windows(slot, facts.calendar, rule):
        yield Conflict(cause=Cause.WINDOW)
    if rule.daily_cap is not None and facts.booked.get(local_start.date(), 0) >= rule.daily_cap:
        yield Conflict(cause=Cause.CAP)


def _asked_in_time(start: datetime, asked_at: datetime, rule: ServiceRule) -> Iterator[Conflict]:
    if start < asked_at + rule.minimum_notice:
        yield Conflict(cause=Cause.NOTICE)
    if start >= asked_at + rule.horizon:
        yield Conflict(cause=Cause.HORIZON)
    asked = asked_at.astimezone(rule.tz)
    today = start.astimezone(rule.tz).date() == asked.date()
    if rule.same_day_cutoff is not None and today and asked.time() >= rule.same_day_cutoff:
        yield Conflict(cause=Cause.CUTOFF)


def hours_on(day: date, rule: ServiceRule) -> tuple[HoursSpan, ...]:
    return () if day in rule.closed_on else rule.hours.get(day.isoweekday(), ())


def opening_interval(day: date, span: HoursSpan, rule: ServiceRule) -> Interval:
    closing_day = day + timedelta(days=1) if span.close == time(0) else day
    opens = instant(day, span.open, rule.tz)
    return Interval(start=opens, end=max(opens, instant(closing_day, span.close, rule.tz)))


def _opening_around(visit: Interval, rule: ServiceRule) -> HoursSpan | None:
    day = visit.start.astimezone(rule.tz).date()
    for span in hours_on(day, rule):
        if opening_interval(day, span, rule).contains(visit):
            return span
    return None


def _on_grid(local_start: datetime, span: HoursSpan, rule: ServiceRule) -> bool:
    wall = local_start.replace(tzinfo=None)
    opened = datetime.combine(wall.date(), span.open)
    return local_start.fold == 0 and (wall - opened) % rule.slot_step == timedelta(0)


def meant_for(window: Window, provider: str, rule: ServiceRule) -> bool:
    """Whether the practice opened this window for this provider and the service's reason."""
    return (not window.providers or provider in window.providers) and (
        not window.reasons or rule.reason is None or rule.reason in window.reasons
    )


def _in_windows(slot: Slot, calendar: Calendar, rule: ServiceRule) -> bool:
    """Whether the visit lies wholly in touching windows of its operatory meant for this provider and reason."""
    fitting = sorted(
        (
            window.time
            for window in calendar.windows or ()
            if window.operatory == slot.operatory and meant_for(window, slot.provider, rule)
        ),
        key=lambda time: time.start,
    )
    reached = slot.time.start
    for window in fitting:
        if window.start <= reached < window.end:
            reached = window.end
    return reached >= slot.time.end


def needed(slot: Slot, rule: ServiceRule) -> Interval:
    """The visit with the free time around it."""
    return slot.time.widened(rule.buffer_before, rule.buffer_after)


def _shared(slot: Slot, appointment: Appointment) -> Cause | None:
    if appointment.operatory == slot.operatory:
        return Cause.APPOINTMENT
    return Cause.PROVIDER_ELSEWHERE if slot.provider in appointment.providers else None


def _taken(slot: Slot, rule: ServiceRule, appointments: Iterable[Appointment]) -> Iterator[Conflict]:
    room = needed(slot, rule)
    for appointment in appointments:
        cause = _shared(slot, appointment)
        if cause is None or not appointment.status.occupies_chair or not room.overlaps(appointment.time):
            continue
        if not slot.time.overlaps(appointment.time):
            cause = Cause.BUFFER
        yield _because(cause, slot, appointment)


def _because(cause: Cause, slot: Slot, appointment: Appointment) -> Conflict:
    resource = slot.operatory if appointment.operatory == slot.operatory else slot.provider
    return Conflict(cause=cause, time=appointment.time, resource=resource, appointment=appointment.id)


def _blocked(slot: Slot, blocks: Iterable[Block]) -> Iterator[Conflict]:
    for block in blocks:
        concerns = (block.operatory in (None, slot.operatory)) and (block.provider in (None, slot.provider))
        if concerns and slot.time.overlaps(block.time):
            yield Conflict(cause=Cause.BLOCK, time=block.time, resource=block.operatory or block.provider)


def _claimed(slot: Slot, rule: ServiceRule, claims: Iterable[Slot]) -> Iterator[Conflict]:
    room = needed(slot, rule)
    for claim in claims:
        shared = claim.operatory == slot.operatory or claim.provider == slot.provider
        if shared and room.overlaps(claim.time):
            yield Conflict(cause=Cause.CLAIM, time=claim.time)
