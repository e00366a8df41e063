"""Whose the chair is: what the live day shows of a hold, and of what overlaps it."""

import asyncio

from activities.connections import Site
from activities.hold_contracts import WriteHoldInput
from adapters.errors import NotFound
from adapters.practice_system import ReleaseOutcome
from domain.calendar import Appointment, AppointmentStatus, Calendar
from domain.rules import ServiceRule
from domain.schedule import calendar_conflicts
from domain.slot import Conflict


async def until_visible(
    site: Site, given: WriteHoldInput, rule: ServiceRule, placed: Appointment
) -> tuple[Calendar, list[Appointment]]:
    """The day around it and all of ours that is there, once it shows; then what its id says."""
    for wait in (0.0, 0.5, site.consistency_delay.total_seconds()):
        await asyncio.sleep(wait)
        day = await site.live_day(placed.time.start, rule)
        mine = [a for a in under(given.reference, day) if a.id == placed.id or given.matches(a)]
        if mine:
            return day, mine
    try:
        current = await site.system.get_appointment(placed.id)
    except NotFound:
        return day, []
    return day, [current] if _is_under(given.reference, current) else []


async def give_way(site: Site, given: WriteHoldInput, kept: Appointment, day: Calendar) -> tuple[Conflict, ...]:
    """What overlaps ours with an older right to the chair; ours is taken back for it where we wrote it.

    Where the desk has confirmed ours, what lies over it came later, or is meant to. Where the desk has moved it,
    that is for a person to judge.
    """
    if kept.status is not AppointmentStatus.TENTATIVE:
        return ()
    rivals = _rivals(kept, day, frozenset(a.id for a in under(given.reference, day)))
    if rivals and kept.slot in given.slots:
        taken = await withdraw(site, given, kept.id)
        return rivals if taken is ReleaseOutcome.RELEASED else ()
    return rivals


async def withdraw(site: Site, given: WriteHoldInput, appointment_id: str) -> ReleaseOutcome:
    """Take it back where we wrote it, for whom we wrote it."""
    return await site.system.withdraw(appointment_id, given.reference, wrote=given.slots, wrote_for=given.patients)


async def take_place(site: Site, given: WriteHoldInput, kept: Appointment) -> None:
    """A person chose the new time: what stands at an earlier one goes, whatever the desk has done with it."""
    found = await site.ours(given.reference, given.starts)
    for earlier in sorted({*(a.id for a in found), given.supersedes or kept.id} - {kept.id}):
        if await site.system.withdraw(earlier, given.reference) is ReleaseOutcome.KEPT_BY_DESK:
            await site.system.cancel(earlier, given.reference, "Moved to another time")


def under(reference: str, day: Calendar) -> list[Appointment]:
    """All that stands in the calendar under this reference."""
    return [a for a in day.appointments if _is_under(reference, a)]


def _is_under(reference: str, found: Appointment) -> bool:
    return found.reference == reference and found.status.occupies_time


def _rivals(kept: Appointment, day: Calendar, mine: frozenset[str]) -> tuple[Conflict, ...]:
    """Overlaps that win against ours: all that the desk put or confirmed there, and holds of ours written before it."""
    younger = {
        a.id
        for a in day.appointments
        if a.reference is not None
        and a.status is AppointmentStatus.TENTATIVE
        and a.creation_order() > kept.creation_order()
    }
    return calendar_conflicts(kept.slot, day, ignoring=mine | younger)
