"""Writing the hold, and never trusting the write."""

import asyncio
from datetime import datetime, timedelta

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.connections import Connections, Site, utc_now
from activities.hold_contracts import (
    CheckLandingInput,
    ConfirmHoldInput,
    ConfirmHoldResult,
    HoldResult,
    ReadAppointmentInput,
    WriteHoldInput,
)
from activities.read_back import give_way, take_place, under, until_visible, withdraw
from adapters.errors import NotFound, OfficeOffline, OutsideError, RateLimited, Refused, SlotTaken, Unavailable
from adapters.ledger import Claim, ClaimLost, Renewal
from adapters.practice_system import Hold, ReleaseOutcome
from domain.calendar import Appointment, AppointmentStatus, LandingState
from domain.rules import ServiceRule
from domain.slot import Cause, Conflict

log = structlog.get_logger(__name__)

SOON = timedelta(seconds=5)
"""So long an attempt waits by itself; a longer wait is left to the next attempt."""
LOOKS_APART = timedelta(seconds=5)
"""At least; ever further, the longer ago it was sent."""


class HoldActivities:
    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    @activity.defn
    async def write_hold(self, given: WriteHoldInput) -> HoldResult:
        """Write the tentative appointment once, read it back, and settle who keeps the chair.

        Each attempt first takes the claim's next fence. One that may follow a committed write then looks for our
        reference, waits for the practice system to catch up, and looks again; only then it writes. Immediately
        before the write the claim is asserted under the fence: an attempt that slept past its time fails there,
        since whoever came after it took a newer fence before looking. One that sleeps after that sends nothing,
        unless it wakes so soon that the look for late writes still finds what it wrote.
        """
        site = self._connections.site(given.location)
        renewal = await self._renewed(given.reference)
        fence = renewal.fence if renewal is not None else None
        ambiguous = given.look_first or activity.info().attempt > 1 or (renewal is not None and renewal.written)
        placed = _not_looked_at() or (await self._find_ours(site, given, renewal) if ambiguous else None)
        if placed is None:
            try:
                placed = await self._place(site, given, renewal)
            except ClaimLost:
                lost = Conflict(cause=Cause.CLAIM, time=given.slot.time)
                return HoldResult(conflicts=(lost,), ambiguous=ambiguous)
            except SlotTaken:
                # What is in the way may be a write of ours whose answer was lost.
                placed = await self._look_twice(site, given, site.consistency_delay) if ambiguous else None
                if placed is None:
                    await self._connections.ledger.claims.release(given.reference, fence)
                    taken = Conflict(cause=Cause.APPOINTMENT, time=given.slot.time)
                    return HoldResult(conflicts=(taken,), ambiguous=ambiguous)
        if placed.landing is not LandingState.LANDED:
            await self._connections.ledger.news.wrote(given.reference, placed.id)
            return HoldResult(appointment=placed, ambiguous=ambiguous)
        return await self._settle(site, given, placed, ambiguous, fence)

    @activity.defn
    async def check_landing(self, given: CheckLandingInput) -> HoldResult:
        """Whether the practice's own system has taken the hold in; then, whose the chair is.

        News is only believed where it can't be looked up: that a write was refused. Neither appointment nor
        conflicts in the answer: somebody took it out.
        """
        site = self._connections.site(given.location)
        if given.reported is None and await _is_off(site, given):
            return HoldResult(office_offline=True)
        try:
            seen = await site.system.get_appointment(given.appointment_id)
        except NotFound:
            seen = None
        told = given.reported if given.reported is not LandingState.LANDED else None
        ours = seen if seen is not None and seen.reference == given.reference else None
        if ours is not None and ours.landing is not LandingState.LANDED and told is not None:
            return HoldResult(appointment=ours.model_copy(update={"landing": told}))  # the partner may cancel it then
        if ours is None or not ours.status.occupies_time:
            await self._connections.ledger.claims.release(given.reference)
            return HoldResult()
        if ours.landing is LandingState.LANDED:
            return await self._settle(site, given, ours, ambiguous=False)
        return HoldResult(appointment=ours)

    @activity.defn
    async def confirm_hold(self, given: ConfirmHoldInput) -> ConfirmHoldResult:
        """Finalize the hold where the desk left it: a moved one is adopted, a removed one reported.

        Hours may have passed since it was written: what the desk has put over it meanwhile has the chair.
        """
        site = self._connections.site(given.location)
        ambiguous = activity.info().attempt > 1
        try:
            if await _is_off(site, given):
                raise OfficeOffline("the practice's own system is off", site.check_while_offline)
            day = await site.live_day(given.slot.time.start, self._rule(given))
            held = next((a for a in day.appointments if a.id == given.appointment_id), None)
            rivals = () if held is None or given.promised else await give_way(site, given, held, day)
            if held is None or not rivals or held.slot not in given.slots:
                confirmed = await self._confirm(site, given, given.appointment_id, held)
                return ConfirmHoldResult(appointment=confirmed, ambiguous=ambiguous)
        except OfficeOffline:
            if given.promised:  # a step that is tried until it is done
                raise
            return ConfirmHoldResult(office_offline=True, ambiguous=ambiguous)
        except Refused as refusal:
            if not isinstance(refusal, NotFound) and refusal.code not in ("broken", "reference_gone"):
                raise
            rivals = ()
        await self._connections.ledger.claims.release(given.reference)
        return ConfirmHoldResult(conflicts=rivals, ambiguous=ambiguous)

    @activity.defn
    async def read_appointment(self, given: ReadAppointmentInput) -> Appointment | None:
        """What became of the visit; ``None``: somebody deleted it."""
        site = self._connections.site(given.location)
        try:
            return await site.system.get_appointment(given.appointment_id)
        except NotFound:
            return None

    async def _settle(
        self, site: Site, given: WriteHoldInput, placed: Appointment, ambiguous: bool, fence: int | None = None
    ) -> HoldResult:
        """Look who has the chair; where it is ours and nobody has to approve, confirm in the same breath."""
        kept, rivals = await self._read_back(site, given, placed)
        if kept is None:
            await self._connections.ledger.claims.release(given.reference, fence)
            return HoldResult(ambiguous=True)
        moved = kept.slot != given.slot
        if rivals and kept.slot in given.slots:  # where we wrote it, it has given way
            await self._connections.ledger.claims.release(given.reference, fence)
            return HoldResult(conflicts=rivals, ambiguous=ambiguous, patient=kept.patient)
        if given.confirm and not moved:
            try:
                final = await self._confirm(site, given, kept.id, kept, just_read=True)
                return HoldResult(appointment=final, confirmed=True, ambiguous=ambiguous)
            except OutsideError as trouble:
                log.info("confirming is left to its own step", cause=type(trouble).__name__)
                ambiguous = True
        return HoldResult(appointment=kept, conflicts=rivals, ambiguous=ambiguous)

    async def _confirm(
        self,
        site: Site,
        given: WriteHoldInput,
        appointment_id: str,
        seen: Appointment | None,
        *,
        just_read: bool = False,
    ) -> Appointment:
        charts = given.patients
        written_for = seen.patient if seen is not None and seen.patient in charts else charts[-1]
        confirmed = await site.system.confirm_hold(
            appointment_id, self._hold(site, given), written_for=written_for, just_read=just_read
        )
        landed = Claim(
            reference=given.reference,
            connection=site.location.connection,
            location=site.location.id,
            service=given.service,
            local_day=site.day_of(confirmed.time.start),
            slot=confirmed.slot,
            expires_at=utc_now() + 4 * site.consistency_delay,
        )
        await self._connections.ledger.claims.landed(landed)
        return confirmed

    def _hold(self, site: Site, given: WriteHoldInput) -> Hold:
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
            dependent=given.dependent,
            note=given.note,
        )

    def _rule(self, given: WriteHoldInput) -> ServiceRule:
        return self._connections.practice.rule(given.location, given.service)

    async def _renewed(self, reference: str) -> Renewal | None:
        """``None`` where the claim is lost: what was written under it must be looked for all the same."""
        try:
            return await self._connections.ledger.claims.renew(reference, utc_now())
        except ClaimLost:
            return None

    async def _place(self, site: Site, given: WriteHoldInput, renewal: Renewal | None) -> Appointment:
        """Raises ClaimLost where there is none, or where a newer attempt is under way."""
        if renewal is None:
            raise ClaimLost
        claims, booking = self._connections.ledger.claims, activity.info().workflow_id or ""

        async def permit() -> datetime:
            now = utc_now()
            await claims.begin_write(given.reference, renewal, given.slot, booking, now)
            return now + site.send_within

        try:
            return await site.system.place_hold(self._hold(site, given), permit)
        except (Refused, RateLimited, Unavailable):
            await claims.not_sent(given.reference, renewal)
            raise

    async def _find_ours(self, site: Site, given: WriteHoldInput, renewal: Renewal | None) -> Appointment | None:
        """What an earlier write added; ``None``: nothing, as far as anybody can tell, so that it may be sent again.

        Before each sending it is waited twice as long as before the last one. Raises where that is not over yet, or
        where it has been sent as often as it may be.
        """
        if renewal is None or renewal.sent_at is None:
            return await self._look_twice(site, given, site.consistency_delay)
        sent_for = utc_now() - renewal.sent_at
        wait = site.resend_after * 2 ** max(renewal.sends - 1, 0) - sent_for
        if wait <= SOON:
            ours = await self._look_twice(site, given, max(wait, site.consistency_delay))
            if ours is None and renewal.sends >= site.system.capabilities.sends_at_most:
                raise ApplicationError("what was written does not show", type="NeverShown", non_retryable=True)
            return ours
        ours = await self._look(site, given)
        if ours is None:
            raise ApplicationError(
                "what was written may show yet",
                type="NotShownYet",
                next_retry_delay=min(wait, max(sent_for, LOOKS_APART)),
                category=ApplicationErrorCategory.BENIGN,
            )
        return ours

    async def _look_twice(self, site: Site, given: WriteHoldInput, between: timedelta) -> Appointment | None:
        ours = await self._look(site, given)
        if ours is None:
            await asyncio.sleep(between.total_seconds())
            ours = await self._look(site, given)
        return ours

    async def _look(self, site: Site, given: WriteHoldInput) -> Appointment | None:
        """What carries our reference. What stands at a time that is not wanted any more is taken back.

        Unless it is final by now, through the desk or a late write of ours: then that is the visit, and no second one
        is written.
        """
        found = await site.ours(given.reference, given.starts)
        for left in filter(given.is_stale, found):
            if await withdraw(site, given, left.id) is ReleaseOutcome.KEPT_BY_DESK:
                return left
        return next(filter(given.matches, found), None)

    async def _read_back(
        self, site: Site, given: WriteHoldInput, placed: Appointment
    ) -> tuple[Appointment | None, tuple[Conflict, ...]]:
        """Ours as the calendar shows it, and what overlaps it with an older right to the chair.

        ``None``: somebody has taken it out already, or made it their own; it is not written again.
        """
        try:
            day, mine = await until_visible(site, given, self._rule(given), placed)
        except OutsideError:
            activity.heartbeat(placed)
            raise
        if activity.info().heartbeat_details:
            activity.heartbeat()  # it is looked at now: if a later attempt finds it gone, it may have given way
        if not mine:
            return None, ()
        kept = min(
            mine, key=lambda a: (a.slot != given.slot, a.status is AppointmentStatus.TENTATIVE, a.creation_order())
        )
        rivals = await give_way(site, given, kept, day)
        for twin in under(given.reference, day):
            if twin.id not in (kept.id, given.supersedes):  # written twice, or late for a slot that was lost since
                await withdraw(site, given, twin.id)
        if given.supersedes is not None and (not rivals or kept.slot != given.slot):
            await take_place(site, given, kept)
        return kept, rivals


def _not_looked_at() -> Appointment | None:
    """What the attempt before this one was told that it has written; if it is gone by now, somebody took it out."""
    told = activity.info().heartbeat_details
    return Appointment.model_validate(told[0]) if told else None


async def _is_off(site: Site, given: CheckLandingInput | ConfirmHoldInput) -> bool:
    return given.check_online_first and not await site.system.accepts_writes(site.id, since=given.online_since)
