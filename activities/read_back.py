"""Reads the live calendar after a write, and settles who has the slot."""

from datetime import timedelta

from activities.connections import Site
from activities.hold_contracts import WriteHoldInput
from adapters.errors import NotFound
from adapters.practice_system import ReleaseOutcome
from domain.calendar import Appointment, AppointmentStatus, Calendar
from domain.rules import ServiceRule
from domain.schedule import calendar_conflicts
from domain.slot import Conflict

FIRST_REREAD_AFTER = timedelta(seconds=0.5)


async def wait_until_visible(
    site: Site, request: WriteHoldInput, rule: ServiceRule, appointment: Appointment
) -> tuple[Calendar, list[Appointment]]:
    """Wait until the calendar shows the appointment that we wrote. Returns its day and our appointments on that day.

    If the calendar does not show it within the consistency delay, the appointment itself is read by id.
    """
    for delay in (timedelta(0), FIRST_REREAD_AFTER, site.consistency_delay):
        await site.clock.sleep(delay)
        day = await site.read_day(appointment.time.start, rule)
        our_appointments = [
            a for a in with_reference(request.reference, day) if a.id == appointment.id or request.is_our_hold(a)
        ]
        if our_appointments:
            return day, our_appointments
    try:
        current = await site.system.get_appointment(appointment.id)
    except NotFound:
        return day, []
    return day, [current] if _is_with_reference(request.reference, current) else []


async def yield_to_conflicts(
    site: Site, request: WriteHoldInput, hold: Appointment, day: Calendar
) -> tuple[Conflict, ...]:
    """Release our hold if something with an older right overlaps it, and return those conflicts.

    A hold that the desk has confirmed stays: whatever overlaps it came later or is intended. A hold that the desk
    has moved stays too, and its conflicts are returned for staff to judge.
    """
    if hold.status is not AppointmentStatus.TENTATIVE:
        return ()
    conflicts = _find_conflicts(hold, day, frozenset(a.id for a in with_reference(request.reference, day)))
    if conflicts and hold.slot in request.written_slots:
        outcome = await release_if_ours(site, request, hold.id)
        return conflicts if outcome is ReleaseOutcome.RELEASED else ()
    return conflicts


async def release_if_ours(site: Site, request: WriteHoldInput, appointment_id: str) -> ReleaseOutcome:
    """Release an appointment of this booking, unless the desk has moved it or given it to another patient."""
    return await site.system.release(
        appointment_id,
        request.reference,
        written_slots=request.written_slots,
        written_patients=request.written_patients,
    )


async def remove_superseded(site: Site, request: WriteHoldInput, hold: Appointment) -> None:
    """Remove our appointments at earlier times, whatever the desk has done with them: a person chose the new time."""
    our_appointments = await site.find_our_appointments(request.reference, request.starts, request.written_patients)
    superseded_ids = {*(a.id for a in our_appointments), request.supersedes or hold.id} - {hold.id}
    for appointment_id in sorted(superseded_ids):
        if await site.system.release(appointment_id, request.reference) is ReleaseOutcome.KEPT_BY_DESK:
            await site.system.cancel(appointment_id, request.reference, "Moved to another time")


def with_reference(reference: str, day: Calendar) -> list[Appointment]:
    """All appointments in the calendar that carry this reference and occupy an operatory."""
    return [a for a in day.appointments if _is_with_reference(reference, a)]


def _is_with_reference(reference: str, appointment: Appointment) -> bool:
    return appointment.reference == reference and appointment.status.occupies_time


def _find_conflicts(hold: Appointment, day: Calendar, our_ids: frozenset[str]) -> tuple[Conflict, ...]:
    """What overlaps our hold with an older right.

    That is everything that the desk put there or confirmed there, and other bookings' holds written before ours. What
    an unreadable row may close is left out: nobody knows whether it overlaps, and whose it is.
    """
    certain = day.model_copy(update={"blocks": tuple(block for block in day.blocks if not block.is_guess)})
    newer_holds = {a.id for a in day.appointments if _is_hold(a) and a.creation_order() > hold.creation_order()}
    return calendar_conflicts(hold.slot, certain, ignoring=our_ids | newer_holds)


def _is_hold(appointment: Appointment) -> bool:
    """Whether a booking, ours or another, wrote this appointment and nobody has confirmed it yet."""
    return appointment.reference is not None and appointment.status is AppointmentStatus.TENTATIVE
