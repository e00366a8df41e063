"""Releases what a booking wrote, and leaves what the desk has made theirs."""

from contextlib import suppress

from pydantic import AwareDatetime
from temporalio import activity

from activities.connections import Connections, Site
from adapters.errors import NotFound
from adapters.practice_system import CalendarReader, ReleaseOutcome
from domain.base import Value
from domain.calendar import Appointment
from domain.slot import Slot


class ReleaseInput(Value):
    reference: str
    location: str
    start: AwareDatetime
    """Start of the appointment when we last read it."""
    appointment_id: str | None = None
    slots: tuple[Slot, ...] = ()
    """Every slot that this booking has written. An appointment elsewhere was moved by the desk."""
    patients: tuple[str, ...] = ()
    """Every patient that this booking has written for. The desk gave an appointment to any other patient."""
    keep_ids: tuple[str, ...] = ()
    """Appointments to leave alone, whatever their state."""
    released_before: tuple[str, ...] = ()
    """Appointments that we released earlier. If one is back and confirmed, the desk did not do that: break it."""
    released_twice: tuple[str, ...] = ()
    """Appointments that we released more than once. If one is still there, a person must resolve it."""
    confirmed: bool = False
    """The appointment is confirmed: break it and keep its history, instead of removing a tentative write."""
    may_break_desk_edits: bool = False
    """The visit will not happen: also break what the desk has confirmed or moved."""


class ReleaseResult(Value):
    remaining: tuple[Appointment, ...] = ()
    """Appointments that are still there: the desk has made them theirs, or we may not release them once more."""
    released_ids: tuple[str, ...] = ()
    """Ids of appointments that were there and that we released."""
    queued: bool = False
    """The release is on its way to the office system, which may refuse it."""


class ReleaseActivities:
    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    @activity.defn
    async def release_everything(self, request: ReleaseInput) -> ReleaseResult:
        """Release all that this booking wrote, found by id and by reference, and release its claim."""
        result = await self._release_all(request, request.appointment_id)
        await self._connections.ledger.claims.release(request.reference)
        return result

    @activity.defn
    async def remove_leftovers(self, request: ReleaseInput) -> ReleaseResult:
        """Release all that this booking wrote except the appointment that it keeps.

        Leftovers are late commits, and appointments that came back after we released them.
        """
        kept_id = (request.appointment_id,) if request.appointment_id is not None else ()
        return await self._release_all(request.model_copy(update={"keep_ids": (*request.keep_ids, *kept_id)}))

    async def _release_all(self, request: ReleaseInput, known_id: str | None = None) -> ReleaseResult:
        site = self._connections.site(request.location)
        starts = (request.start, *(slot.time.start for slot in request.slots))
        our_appointments = await site.find_our_appointments(request.reference, starts, request.patients)
        ids = {a.id for a in our_appointments}
        existing_ids = set(ids)
        if known_id is not None and known_id not in ids:
            ids.add(known_id)
            if await _still_exists(site.system, known_id):
                existing_ids.add(known_id)
        kept: list[Appointment] = []
        released_ids: list[str] = []
        for appointment_id in sorted(ids.difference(request.keep_ids)):
            if await self._release_one(site, request, appointment_id) is ReleaseOutcome.RELEASED:
                if appointment_id in existing_ids:
                    released_ids.append(appointment_id)
                continue
            with suppress(NotFound):
                kept.append(await site.system.get_appointment(appointment_id))
        queued = bool(released_ids) and site.system.capabilities.queued_writes
        return ReleaseResult(remaining=tuple(kept), released_ids=tuple(released_ids), queued=queued)

    async def _release_one(self, site: Site, request: ReleaseInput, appointment_id: str) -> ReleaseOutcome:
        outcome = ReleaseOutcome.KEPT_BY_DESK
        if appointment_id in request.released_twice:
            return outcome
        if not request.confirmed:
            outcome = await site.system.release(
                appointment_id,
                request.reference,
                written_slots=request.slots,
                written_patients=request.patients,
            )
        may_cancel = request.confirmed or request.may_break_desk_edits or appointment_id in request.released_before
        if outcome is ReleaseOutcome.KEPT_BY_DESK and may_cancel:
            outcome = await site.system.cancel(appointment_id, request.reference, "Cancelled online")
        return outcome


async def _still_exists(calendar: CalendarReader, appointment_id: str) -> bool:
    """Whether the appointment is there to release. One that somebody deleted or broke was not released by us."""
    try:
        return (await calendar.get_appointment(appointment_id)).status.occupies_time
    except NotFound:
        return False
