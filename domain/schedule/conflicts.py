"""Every reason why a slot is not free."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from domain.calendar import Appointment, Block, Calendar, Window
from domain.interval import Interval
from domain.local_time import instant
from domain.rules import HoursSpan, ServiceRule
from domain.slot import Cause, Conflict, Slot

NO_APPOINTMENTS: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Facts:
    """Everything that decides whether a slot is free."""

    rule: ServiceRule
    calendar: Calendar
    now: datetime
    asked_at: datetime | None = None
    """When the patient asked, if that was before ``now``. Notice, cutoff and horizon are judged at this instant."""
    staff_override: bool = False
    """Whether staff handle the booking. Then notice, cutoff and horizon do not apply; a past start is still refused."""
    claims: tuple[Slot, ...] = ()
    """Slots that other bookings of ours have claimed and are writing now."""
    booked: Mapping[date, int] = field(default_factory=dict)
    """Visits of this service booked through Holdfast, by local day. The booking itself is not counted."""


def conflicts(
    slot: Slot, facts: Facts, *, ignoring: frozenset[str] = NO_APPOINTMENTS, ignoring_reference: str | None = None
) -> tuple[Conflict, ...]:
    """Every conflict of the slot, rules first. Empty means that the slot is free.

    ``ignoring`` are ids of appointments that do not count, ``ignoring_reference`` excludes those with this reference.
    """
    appointments = (
        appointment
        for appointment in facts.calendar.appointments
        if appointment.id not in ignoring
        and (ignoring_reference is None or appointment.reference != ignoring_reference)
    )
    return (
        *_rule_conflicts(slot, facts),
        *_inactive_conflicts(slot, facts.calendar),
        *_appointment_conflicts(slot, facts.rule, appointments),
        *_block_conflicts(slot, facts.calendar.blocks),
        *_claim_conflicts(slot, facts.rule, facts.claims),
    )


def calendar_conflicts(
    slot: Slot, calendar: Calendar, *, ignoring: frozenset[str] = NO_APPOINTMENTS
) -> tuple[Conflict, ...]:
    """Appointments and blocks that overlap the slot itself, without rules and buffers. For the read-back."""
    appointment_conflicts: list[Conflict] = []
    for appointment in calendar.appointments:
        if appointment.id in ignoring or not appointment.status.occupies_time:
            continue
        cause = _shared_resource(slot, appointment)
        if cause is not None and slot.time.overlaps(appointment.time):
            appointment_conflicts.append(_conflict(cause, slot, appointment))
    return (*appointment_conflicts, *_block_conflicts(slot, calendar.blocks))


def _rule_conflicts(slot: Slot, facts: Facts) -> Iterator[Conflict]:
    """Conflicts with the practice's own rules, whatever the calendar holds."""
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
        yield from _timing_conflicts(start, facts.asked_at or facts.now, rule)
    local_start = start.astimezone(rule.tz)
    hours = _hours_around(slot.time, rule)
    if hours is None:
        yield Conflict(cause=Cause.HOURS)
    elif not _on_grid(local_start, hours, rule):
        yield Conflict(cause=Cause.STEP)
    if rule.only_in_windows and not _in_windows(slot, facts.calendar, rule):
        yield Conflict(cause=Cause.WINDOW)
    if rule.daily_cap is not None and facts.booked.get(local_start.date(), 0) >= rule.daily_cap:
        yield Conflict(cause=Cause.CAP)


def _inactive_conflicts(slot: Slot, calendar: Calendar) -> Iterator[Conflict]:
    if slot.provider in calendar.inactive_providers:
        yield Conflict(cause=Cause.INACTIVE, resource=slot.provider)
    if slot.operatory in calendar.inactive_operatories:
        yield Conflict(cause=Cause.INACTIVE, resource=slot.operatory)


def _timing_conflicts(start: datetime, asked_at: datetime, rule: ServiceRule) -> Iterator[Conflict]:
    """Notice, horizon and same-day cutoff, judged at ``asked_at``."""
    if start < asked_at + rule.minimum_notice:
        yield Conflict(cause=Cause.NOTICE)
    if start >= asked_at + rule.horizon:
        yield Conflict(cause=Cause.HORIZON)
    local_asked_at = asked_at.astimezone(rule.tz)
    same_day = start.astimezone(rule.tz).date() == local_asked_at.date()
    if rule.same_day_cutoff is not None and same_day and local_asked_at.time() >= rule.same_day_cutoff:
        yield Conflict(cause=Cause.CUTOFF)


def hours_on(day: date, rule: ServiceRule) -> tuple[HoursSpan, ...]:
    """The opening hours of a local day."""
    return () if day in rule.closed_on else rule.hours.get(day.isoweekday(), ())


def opening_interval(day: date, span: HoursSpan, rule: ServiceRule) -> Interval:
    """The opening hours of a local day in UTC. Empty if a clock change skips all of them."""
    closing_day = day + timedelta(days=1) if span.close == time(0) else day
    opens = instant(day, span.open, rule.tz)
    return Interval(start=opens, end=max(opens, instant(closing_day, span.close, rule.tz)))


def _hours_around(visit: Interval, rule: ServiceRule) -> HoursSpan | None:
    """The opening hours that contain the whole visit."""
    day = visit.start.astimezone(rule.tz).date()
    for span in hours_on(day, rule):
        if opening_interval(day, span, rule).contains(visit):
            return span
    return None


def _on_grid(local_start: datetime, span: HoursSpan, rule: ServiceRule) -> bool:
    """Whether the start is a multiple of the step after opening time, and not in the second pass of a repeated hour."""
    wall = local_start.replace(tzinfo=None)
    opens = datetime.combine(wall.date(), span.open)
    return local_start.fold == 0 and (wall - opens) % rule.slot_step == timedelta(0)


def window_allows(window: Window, provider: str, rule: ServiceRule) -> bool:
    """Whether the practice opened this window for this provider and for the service's visit reason."""
    return (not window.providers or provider in window.providers) and (
        not window.reasons or rule.reason is None or rule.reason in window.reasons
    )


def _in_windows(slot: Slot, calendar: Calendar, rule: ServiceRule) -> bool:
    """Whether windows of this operatory that touch or overlap cover the whole visit."""
    window_times = sorted(
        (
            window.time
            for window in calendar.windows or ()
            if window.operatory == slot.operatory and window_allows(window, slot.provider, rule)
        ),
        key=lambda time: time.start,
    )
    covered_until = slot.time.start
    for time_span in window_times:
        if time_span.start <= covered_until < time_span.end:
            covered_until = time_span.end
    return covered_until >= slot.time.end


def with_buffers(slot: Slot, rule: ServiceRule) -> Interval:
    """The time of the visit and of the buffers around it."""
    return slot.time.widened(rule.buffer_before, rule.buffer_after)


def _shared_resource(slot: Slot, appointment: Appointment) -> Cause | None:
    """The cause if slot and appointment share the operatory or the provider, whatever their times."""
    if appointment.operatory == slot.operatory:
        return Cause.APPOINTMENT
    return Cause.PROVIDER_ELSEWHERE if slot.provider in appointment.providers else None


def _appointment_conflicts(slot: Slot, rule: ServiceRule, appointments: Iterable[Appointment]) -> Iterator[Conflict]:
    buffered = with_buffers(slot, rule)
    for appointment in appointments:
        cause = _shared_resource(slot, appointment)
        if cause is None or not appointment.status.occupies_time or not buffered.overlaps(appointment.time):
            continue
        if not slot.time.overlaps(appointment.time):
            cause = Cause.BUFFER
        yield _conflict(cause, slot, appointment)


def _conflict(cause: Cause, slot: Slot, appointment: Appointment) -> Conflict:
    resource = slot.operatory if appointment.operatory == slot.operatory else slot.provider
    return Conflict(cause=cause, time=appointment.time, resource=resource, appointment=appointment.id)


def _block_conflicts(slot: Slot, blocks: Iterable[Block]) -> Iterator[Conflict]:
    for block in blocks:
        applies = (block.operatory in (None, slot.operatory)) and (block.provider in (None, slot.provider))
        if applies and slot.time.overlaps(block.time):
            yield Conflict(cause=Cause.BLOCK, time=block.time, resource=block.operatory or block.provider)


def _claim_conflicts(slot: Slot, rule: ServiceRule, claims: Iterable[Slot]) -> Iterator[Conflict]:
    buffered = with_buffers(slot, rule)
    for claim in claims:
        shares_resource = claim.operatory == slot.operatory or claim.provider == slot.provider
        if shares_resource and buffered.overlaps(claim.time):
            yield Conflict(cause=Cause.CLAIM, time=claim.time)
