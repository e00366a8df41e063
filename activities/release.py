"""Taking back what was written, and leaving what the desk has made its own."""

from contextlib import suppress

from pydantic import AwareDatetime
from temporalio import activity

from activities.connections import Connections, Site
from adapters.errors import NotFound
from adapters.practice_system import ReleaseOutcome
from domain.base import Value
from domain.calendar import Appointment
from domain.slot import Slot


class ReleaseInput(Value):
    reference: str
    location: str
    start: AwareDatetime
    """Of the appointment as last seen."""
    appointment_id: str | None = None
    slots: tuple[Slot, ...] = ()
    """Where this booking has written: what is anywhere else was moved by the desk."""
    patients: tuple[str, ...] = ()
    """For whom this booking has written: what is anybody else's was given to them by the desk."""
    keep_ids: tuple[str, ...] = ()
    """What stays, whatever it is now."""
    released_before: tuple[str, ...] = ()
    """What we took back earlier: where it stands confirmed again, it is not the desk's doing, and goes again."""
    released_twice: tuple[str, ...] = ()
    """What we took back more than once: where it still stands, a person must see to it."""
    confirmed: bool = False
    """It is final: break it and keep its history, rather than undo a tentative write."""
    cancelled: bool = False
    """The visit will not be: break also what the desk has confirmed or moved."""


class ReleaseResult(Value):
    kept: tuple[Appointment, ...] = ()
    """What the desk has made its own, or is not to be taken back once more, and was left as it is."""
    taken: tuple[str, ...] = ()
    """What stood and was taken back by us."""
    queued: bool = False
    """The taking back is on its way to the practice's own system, which may refuse it."""


class ReleaseActivities:
    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    @activity.defn
    async def release_hold(self, given: ReleaseInput) -> ReleaseResult:
        """Take back all that this booking wrote, found by id and by reference, and free its claim."""
        withdrawn = await self._take_back(given, given.appointment_id)
        await self._connections.ledger.claims.release(given.reference)
        return withdrawn

    @activity.defn
    async def remove_leftovers(self, given: ReleaseInput) -> ReleaseResult:
        """Take back whatever stands beside the appointment we keep: added late, or back where it was taken back."""
        kept = (given.appointment_id,) if given.appointment_id is not None else ()
        return await self._take_back(given.model_copy(update={"keep_ids": (*given.keep_ids, *kept)}))

    async def _take_back(self, given: ReleaseInput, known: str | None = None) -> ReleaseResult:
        site = self._connections.site(given.location)
        found = await site.ours(given.reference, (given.start, *(slot.time.start for slot in given.slots)))
        standing, ids = {a.id for a in found}, {a.id for a in found}
        if known is not None and known not in standing:
            ids.add(known)
            standing |= {known} if await _stands(site, known) else set()
        kept, taken = [], []
        for appointment_id in sorted(ids.difference(given.keep_ids)):
            if await self._take_one_back(site, given, appointment_id) is ReleaseOutcome.RELEASED:
                taken += [appointment_id] if appointment_id in standing else []
                continue
            with suppress(NotFound):
                kept.append(await site.system.get_appointment(appointment_id))
        queued = bool(taken) and site.system.capabilities.queued_writes
        return ReleaseResult(kept=tuple(kept), taken=tuple(taken), queued=queued)

    async def _take_one_back(self, site: Site, given: ReleaseInput, appointment_id: str) -> ReleaseOutcome:
        taken = ReleaseOutcome.KEPT_BY_DESK
        if appointment_id in given.released_twice:
            return taken
        if not given.confirmed:
            taken = await site.system.withdraw(
                appointment_id, given.reference, wrote=given.slots, wrote_for=given.patients
            )
        if taken is ReleaseOutcome.KEPT_BY_DESK and (
            given.confirmed or given.cancelled or appointment_id in given.released_before
        ):
            taken = await site.system.cancel(appointment_id, given.reference, "Cancelled online")
        return taken


async def _stands(site: Site, appointment_id: str) -> bool:
    """What somebody has deleted or broken was not taken back by us."""
    try:
        return (await site.system.get_appointment(appointment_id)).status.occupies_time
    except NotFound:
        return False
