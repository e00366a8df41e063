"""Writing the hold, and never trusting the write."""

import asyncio

import structlog
from pydantic import AwareDatetime
from temporalio import activity

from activities.connections import Connections, Site, utc_now
from adapters.errors import NotFound, OutcomeUnknown, OutsideError, Refused, SlotTaken
from adapters.ledger import ClaimLost, Renewal
from adapters.practice_system import Hold
from domain.base import Value
from domain.calendar import Appointment, AppointmentStatus, Calendar, LandingState
from domain.rules import ServiceRule
from domain.schedule import overlapping
from domain.slot import Cause, Conflict, Slot

log = structlog.get_logger(__name__)


class HoldToWrite(Value):
    reference: str
    location: str
    service: str
    slot: Slot
    patient: str
    new_patient: bool = False
    note: str = ""
    confirm: bool = False
    """Nobody has to approve it: finalize it as soon as the look after the write shows that the chair is ours."""
    look_first: bool = False
    """An earlier write of this booking may have been committed."""
    not_these: tuple[str, ...] = ()
    """Appointments that this booking has already taken back; a slow calendar may still show them."""
    no_longer_wanted: tuple[Slot, ...] = ()
    """Where this booking tried to write before: what is found there was put there by us, not by the desk."""


class HoldWritten(Value):
    appointment: Appointment | None = None
    """The hold as the practice system shows it; ``None``: the slot was lost, for the causes given."""
    confirmed: bool = False
    """Finalized already."""
    conflicts: tuple[Conflict, ...] = ()
    ambiguous: bool = False
    """Some attempt's outcome was unknown: a late twin may still appear, or the hold be confirmed late."""


class HoldToConfirm(HoldToWrite):
    appointment_id: str


class LandingToCheck(HoldToWrite):
    appointment_id: str
    told: LandingState | None = None
    """What the partner says became of the write; only a hint where it can be looked up."""


class HoldConfirmed(Value):
    appointment: Appointment | None = None
    """As the practice system has it now; ``None``: somebody deleted or broke it."""
    ambiguous: bool = False
    """Some attempt's outcome was unknown: the same may be written once more, late."""


class HoldToWithdraw(Value):
    reference: str
    location: str
    start: AwareDatetime
    appointment_id: str | None = None
    confirmed: bool = False
    """Break it and keep its history, rather than undo a tentative write."""
    keep_claim: bool = False
    """The booking goes on, at another time that is claimed already."""


class AppointmentToRead(Value):
    location: str
    appointment_id: str


class HoldActivities:
    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    @activity.defn
    async def write_hold(self, given: HoldToWrite) -> HoldWritten:
        """Write the tentative appointment once, read it back, and settle who keeps the chair.

        Each attempt first takes the claim's next fence. One that may follow a committed write then looks for our
        reference, waits for the practice system to catch up, and looks again; only then it writes. Immediately
        before the write the claim is asserted under the fence: an attempt that slept past its time fails there,
        since whoever came after it took a newer fence before looking.
        """
        site = self._connections.site(given.location)
        renewal = await self._renewed(given.reference)
        ambiguous = given.look_first or activity.info().attempt > 1 or (renewal is not None and renewal.written)
        placed = await self._find_ours(site, given) if ambiguous else None
        if placed is None:
            try:
                placed = await self._place(site, given, renewal)
            except ClaimLost:
                lost = Conflict(cause=Cause.CLAIM, time=given.slot.time)
                return HoldWritten(conflicts=(lost,), ambiguous=ambiguous)
            except SlotTaken:
                # What is in the way may be a write of ours whose answer was lost.
                placed = await self._find_ours(site, given) if ambiguous else None
                if placed is None:
                    await self._connections.ledger.claims.release(given.reference)
                    taken = Conflict(cause=Cause.APPOINTMENT, time=given.slot.time)
                    return HoldWritten(conflicts=(taken,), ambiguous=ambiguous)
        if placed.landing is not LandingState.LANDED:
            await self._connections.ledger.news.wrote(given.reference, placed.id)
            return HoldWritten(appointment=placed, ambiguous=ambiguous)
        return await self._settle(site, given, placed, ambiguous)

    @activity.defn
    async def await_landing(self, given: LandingToCheck) -> HoldWritten:
        """Whether the practice's own system has taken the hold in; then, whose the chair is.

        News is only believed where it can't be looked up: that a write was refused. Neither appointment nor
        conflicts in the answer: somebody took it out.
        """
        site = self._connections.site(given.location)
        try:
            seen = await site.system.get_appointment(given.appointment_id)
        except NotFound:
            seen = None
        if seen is None or seen.reference != given.reference or not seen.status.occupies_chair:
            await self._connections.ledger.claims.release(given.reference)
            return HoldWritten()
        if seen.landing is LandingState.LANDED:
            return await self._settle(site, given, seen, ambiguous=False)
        told = given.told if given.told is not LandingState.LANDED else None
        return HoldWritten(appointment=seen.model_copy(update={"landing": told or seen.landing}))

    @activity.defn
    async def confirm_hold(self, given: HoldToConfirm) -> HoldConfirmed:
        """Finalize the hold where the desk left it: a moved one is adopted, a removed one reported."""
        site = self._connections.site(given.location)
        try:
            confirmed = await self._confirm(site, given, given.appointment_id)
            return HoldConfirmed(appointment=confirmed, ambiguous=activity.info().attempt > 1)
        except Refused as refusal:
            if not isinstance(refusal, NotFound) and refusal.code not in ("broken", "reference_gone"):
                raise
            await self._connections.ledger.claims.release(given.reference)
            return HoldConfirmed()

    @activity.defn
    async def withdraw_hold(self, given: HoldToWithdraw) -> None:
        """Take back all that this booking wrote, found by id and by reference, and free its claim."""
        site = self._connections.site(given.location)
        found = await site.system.find_by_reference(given.reference, site.id, given.start)
        ids = {a.id for a in found} | ({given.appointment_id} if given.appointment_id else set())
        for appointment_id in sorted(ids):
            if given.confirmed:
                await site.system.cancel(appointment_id, given.reference, "Cancelled online")
            else:
                await site.system.withdraw(appointment_id, given.reference)
        if not given.keep_claim:
            await self._connections.ledger.claims.release(given.reference)

    @activity.defn
    async def sweep_twins(self, given: HoldToWithdraw) -> int:
        """Withdraw whatever a late commit added beside the appointment we keep; returns how many."""
        site = self._connections.site(given.location)
        found = await site.system.find_by_reference(given.reference, site.id, given.start)
        twins = [a for a in found if a.id != given.appointment_id]
        for twin in twins:
            await site.system.withdraw(twin.id, given.reference)
        return len(twins)

    @activity.defn
    async def read_outcome(self, given: AppointmentToRead) -> Appointment | None:
        """What became of the visit; ``None``: somebody deleted it."""
        site = self._connections.site(given.location)
        try:
            return await site.system.get_appointment(given.appointment_id)
        except NotFound:
            return None

    async def _settle(self, site: Site, given: HoldToWrite, placed: Appointment, ambiguous: bool) -> HoldWritten:
        """Look who has the chair; where it is ours and nobody has to approve, confirm in the same breath."""
        kept, rivals = await self._read_back(site, given, placed)
        if rivals:
            await self._connections.ledger.claims.release(given.reference)
            return HoldWritten(conflicts=rivals, ambiguous=ambiguous)
        if given.confirm and kept.slot == given.slot:
            try:
                final = await self._confirm(site, given, kept.id, just_read=True)
                return HoldWritten(appointment=final, confirmed=True, ambiguous=ambiguous)
            except OutsideError as trouble:
                log.info("confirming is left to its own step", cause=type(trouble).__name__)
                ambiguous = True
        return HoldWritten(appointment=kept, ambiguous=ambiguous)

    async def _confirm(
        self, site: Site, given: HoldToWrite, appointment_id: str, *, just_read: bool = False
    ) -> Appointment:
        confirmed = await site.system.confirm_hold(appointment_id, self._hold(site, given), just_read=just_read)
        now = utc_now()
        await self._connections.ledger.claims.landed(given.reference, now + 4 * site.consistency_delay, now)
        return confirmed

    def _hold(self, site: Site, given: HoldToWrite) -> Hold:
        rule = self._rule(given)
        return Hold(
            reference=given.reference,
            location=site.id,
            slot=given.slot,
            patient=given.patient,
            title=rule.label,
            reason=rule.reason,
            procedures=rule.procedures,
            new_patient=given.new_patient,
            note=given.note,
        )

    def _rule(self, given: HoldToWrite) -> ServiceRule:
        return self._connections.practice.rule(given.location, given.service)

    async def _renewed(self, reference: str) -> Renewal | None:
        """``None`` where the claim is lost: what was written under it must be looked for all the same."""
        try:
            return await self._connections.ledger.claims.renew(reference, utc_now())
        except ClaimLost:
            return None

    async def _place(self, site: Site, given: HoldToWrite, renewal: Renewal | None) -> Appointment:
        """Raises ClaimLost where there is none, or where a newer attempt is under way."""
        if renewal is None:
            raise ClaimLost
        booking = activity.info().workflow_id or ""
        await self._connections.ledger.claims.begin_write(
            given.reference, renewal.fence, given.slot, booking, utc_now()
        )
        return await site.system.place_hold(self._hold(site, given))

    async def _find_ours(self, site: Site, given: HoldToWrite) -> Appointment | None:
        for wait in (0.0, site.consistency_delay.total_seconds()):
            await asyncio.sleep(wait)
            found = await site.system.find_by_reference(given.reference, site.id, given.slot.time.start)
            if ours := await self._still_wanted(site, given, found):
                return ours[0]
        return None

    async def _still_wanted(self, site: Site, given: HoldToWrite, ours: list[Appointment]) -> list[Appointment]:
        """Without those that were taken back, and those that an earlier write left elsewhere: these go now."""
        left = [a for a in ours if a.slot in given.no_longer_wanted and a.status is AppointmentStatus.TENTATIVE]
        for appointment in left:
            await site.system.withdraw(appointment.id, given.reference)
        return [a for a in ours if a.id not in given.not_these and a not in left]

    async def _read_back(
        self, site: Site, given: HoldToWrite, placed: Appointment
    ) -> tuple[Appointment, tuple[Conflict, ...]]:
        """Ours as the calendar shows it, and what overlaps it with an older right to the chair."""
        calendar, mine = await self._until_visible(site, given, placed)
        kept = next((a for a in mine if a.slot == given.slot), mine[0])
        for twin in mine:
            if twin.id != kept.id:  # written twice, or late for a slot that was lost since
                await site.system.withdraw(twin.id, given.reference)
        if kept.slot != given.slot or kept.status is not AppointmentStatus.TENTATIVE:
            return kept, ()  # moved by the desk, or final since an earlier look: what lies over it came later
        rivals = _rivals(kept, calendar, given.reference)
        if rivals:
            await site.system.withdraw(kept.id, given.reference)
        return kept, rivals

    async def _until_visible(
        self, site: Site, given: HoldToWrite, placed: Appointment
    ) -> tuple[Calendar, list[Appointment]]:
        rule = self._rule(given)
        for wait in (0.0, 0.5, site.consistency_delay.total_seconds()):
            await asyncio.sleep(wait)
            calendar = await site.live_day(given.slot.time.start, rule)
            ours = [a for a in calendar.appointments if a.reference == given.reference and a.status.occupies_chair]
            mine = await self._still_wanted(site, given, ours)
            if mine:
                return calendar, sorted(mine, key=Appointment.order)
        try:
            current = await site.system.get_appointment(placed.id)
        except NotFound:
            raise OutcomeUnknown("the hold was accepted but the calendar does not show it") from None
        return calendar, [current]


def _rivals(kept: Appointment, calendar: Calendar, reference: str) -> tuple[Conflict, ...]:
    """Overlaps that win against ours: all that the desk put there, and other bookings' holds written before it."""
    yield_to_us = {
        a.id
        for a in calendar.appointments
        if a.reference == reference or (a.reference is not None and a.order() > kept.order())
    }
    return overlapping(kept.slot, calendar, ignoring=frozenset(yield_to_us | {kept.id}))
