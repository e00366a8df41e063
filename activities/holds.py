"""The activities that write, confirm and check a hold. They never trust a write until they have read it back."""

from datetime import datetime, timedelta

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.connections import Connections, Site
from activities.error_types import HOLD_NEVER_VISIBLE, HOLD_NOT_VISIBLE_YET
from activities.hold_contracts import (
    ConfirmHoldInput,
    ConfirmHoldResult,
    HoldResult,
    ReadAppointmentInput,
    SettleLandingInput,
    WriteHoldInput,
)
from activities.read_back import (
    release_if_ours,
    remove_superseded,
    wait_until_visible,
    with_reference,
    yield_to_conflicts,
)
from activities.visitors import chart_keys
from adapters.errors import NotFound, OfficeOffline, OutsideError, RateLimited, Refused, SlotTaken, Unavailable
from adapters.ledger import Claim, ClaimLost, Renewal, Visitor, VisitRefused
from adapters.practice_system import Hold, ReleaseOutcome
from domain.calendar import Appointment, AppointmentStatus, LandingState
from domain.keyed_hash import KeyedHash
from domain.rules import ServiceRule
from domain.slot import Cause, Conflict

log = structlog.get_logger(__name__)

MAX_WAIT_IN_ATTEMPT = timedelta(seconds=5)
"""The longest time an attempt itself waits before it searches again. A longer wait is left to the next attempt."""
MIN_SEARCH_INTERVAL = timedelta(seconds=5)
"""The shortest time between searches for a write. The interval grows with the time since it was sent."""


class HoldRemoved(Exception):
    """Our write was carried out, and then somebody broke the appointment. It must not be written again."""

    def __init__(self, ids: tuple[str, ...]) -> None:
        super().__init__()
        self.ids = ids


class HoldActivities:
    def __init__(self, connections: Connections, keyed_hash: KeyedHash) -> None:
        self._connections = connections
        self._keyed_hash = keyed_hash

    @activity.defn
    async def write_hold(self, request: WriteHoldInput) -> HoldResult:
        """Write the tentative appointment once, read it back, and settle who keeps the slot.

        1. Each attempt takes the claim's next fence.
        2. An attempt that may follow a committed write searches for our reference, waits for the practice system to
           catch up, and searches again. It writes only if both searches find nothing.
        3. Immediately before the write, the ledger checks the fence. An attempt that slept fails here, because any
           later attempt took a newer fence before it searched.
        4. An attempt that sleeps after this check sends nothing, unless it wakes up so early that the search for late
           commits will still find what it writes.

        A result without an appointment and without conflicts means that somebody removed the hold.
        """
        site = self._connections.site(request.location)
        try:
            renewal = await self._renew_claim(site, request)
        except VisitRefused as refusal:
            await self._connections.ledger.claims.release(request.reference)
            return HoldResult(refused_for=refusal.reason)
        fence = renewal.fence if renewal is not None else None
        try:
            return await self._find_or_write(site, request, renewal, fence)
        except HoldRemoved as removed:
            await self._connections.ledger.claims.release(request.reference, fence)
            return HoldResult(removed_ids=removed.ids, may_commit_late=True)

    async def _find_or_write(
        self, site: Site, request: WriteHoldInput, renewal: Renewal | None, fence: int | None
    ) -> HoldResult:
        may_commit_late = request.look_first or activity.info().attempt > 1 or (renewal is not None and renewal.written)
        appointment = _written_by_last_attempt()
        if appointment is None and may_commit_late:
            appointment = await self._find_earlier_write(site, request, renewal)
        if appointment is None:
            try:
                appointment = await self._send(site, request, renewal)
            except ClaimLost:
                claim_conflict = Conflict(cause=Cause.CLAIM, time=request.slot.time)
                return HoldResult(conflicts=(claim_conflict,), may_commit_late=may_commit_late)
            except SlotTaken:
                # An earlier write of ours whose answer was lost may be what is in the slot.
                appointment = await self._find_twice(site, request, site.consistency_delay) if may_commit_late else None
                if appointment is None:
                    await self._connections.ledger.claims.release(request.reference, fence)
                    appointment_conflict = Conflict(cause=Cause.APPOINTMENT, time=request.slot.time)
                    return HoldResult(conflicts=(appointment_conflict,), may_commit_late=may_commit_late)
        if appointment.landing is not LandingState.LANDED:
            await self._connections.ledger.events.record_write(request.reference, appointment.id)
            return HoldResult(appointment=appointment, may_commit_late=may_commit_late)
        return await self._read_back_and_confirm(site, request, appointment, may_commit_late, fence)

    @activity.defn
    async def settle_landing(self, request: SettleLandingInput) -> HoldResult:
        """Check whether the queued write has landed. If so, read it back and settle who keeps the slot.

        A reported state counts only where we cannot look it up: when it says that the write was refused. A result
        without an appointment and without conflicts means that somebody removed the appointment.
        """
        site = self._connections.site(request.location)
        if request.reported is None and await _office_is_offline(site, request):
            return HoldResult(office_offline=True)
        try:
            appointment = await site.system.get_appointment(request.appointment_id)
        except NotFound:
            appointment = None
        reported_failure = request.reported if request.reported is not LandingState.LANDED else None
        is_ours = appointment is not None and appointment.reference == request.reference
        ours = appointment if is_ours else None
        if ours is not None and ours.landing is not LandingState.LANDED and reported_failure is not None:
            # Before the status check below: the partner may cancel the row of a refused write.
            return HoldResult(appointment=ours.model_copy(update={"landing": reported_failure}))
        if ours is None or not ours.status.occupies_time:
            await self._connections.ledger.claims.release(request.reference)
            return HoldResult()
        if ours.landing is LandingState.LANDED:
            return await self._read_back_and_confirm(site, request, ours, may_commit_late=False)
        is_overdue = await self._connections.ledger.claims.was_overtaken(request.reference)
        return HoldResult(appointment=ours, is_overdue=is_overdue)

    @activity.defn
    async def confirm_hold(self, request: ConfirmHoldInput) -> ConfirmHoldResult:
        """Confirm the hold where the desk left it: adopt a moved hold, report a removed one.

        Hours may have passed since the hold was written. It yields to what the desk has put over it meanwhile.
        """
        site = self._connections.site(request.location)
        may_commit_late = activity.info().attempt > 1
        try:
            if await _office_is_offline(site, request):
                raise OfficeOffline("the office system is offline", site.check_while_offline)
            day = await site.read_day(request.slot.time.start, self._rule(request))
            hold = next((a for a in day.appointments if a.id == request.appointment_id), None)
            conflicts: tuple[Conflict, ...] = ()
            if hold is not None and not request.promised:
                conflicts = await yield_to_conflicts(site, request, hold, day)
            if hold is None or not conflicts or hold.slot not in request.written_slots:
                confirmed = await self._confirm(site, request, request.appointment_id, hold)
                return ConfirmHoldResult(appointment=confirmed, may_commit_late=may_commit_late)
        except OfficeOffline:
            if request.promised:  # the workflow retries this activity until it succeeds
                raise
            return ConfirmHoldResult(office_offline=True, may_commit_late=may_commit_late)
        except Refused as refusal:
            if not isinstance(refusal, NotFound) and refusal.code not in ("broken", "reference_gone"):
                raise
            conflicts = ()
        await self._connections.ledger.claims.release(request.reference)
        return ConfirmHoldResult(conflicts=conflicts, may_commit_late=may_commit_late)

    @activity.defn
    async def read_appointment(self, request: ReadAppointmentInput) -> Appointment | None:
        """Read the appointment of a visit. ``None``: somebody deleted it."""
        site = self._connections.site(request.location)
        try:
            return await site.system.get_appointment(request.appointment_id)
        except NotFound:
            return None

    async def _read_back_and_confirm(
        self,
        site: Site,
        request: WriteHoldInput,
        appointment: Appointment,
        may_commit_late: bool,
        fence: int | None = None,
    ) -> HoldResult:
        """Settle who has the slot. If it is ours and nobody has to approve, confirm the hold at once."""
        hold, conflicts = await self._read_back_and_settle(site, request, appointment)
        if hold is None:
            await self._connections.ledger.claims.release(request.reference, fence)
            return HoldResult(may_commit_late=True)
        if conflicts and hold.slot in request.written_slots:  # the desk has not moved it, so it has yielded
            await self._connections.ledger.claims.release(request.reference, fence)
            return HoldResult(conflicts=conflicts, may_commit_late=may_commit_late, patient=hold.patient)
        if request.confirm and hold.slot == request.slot:
            try:
                confirmed = await self._confirm(site, request, hold.id, hold, just_read=True)
                return HoldResult(appointment=confirmed, confirmed=True, may_commit_late=may_commit_late)
            except OutsideError as error:
                log.info("early_confirmation_failed", error=type(error).__name__)
                may_commit_late = True
        return HoldResult(appointment=hold, conflicts=conflicts, may_commit_late=may_commit_late)

    async def _confirm(
        self,
        site: Site,
        request: WriteHoldInput,
        appointment_id: str,
        hold: Appointment | None,
        *,
        just_read: bool = False,
    ) -> Appointment:
        """Confirm the hold and mark its claim as landed. ``hold``: as the calendar shows it, if it does."""
        patients = request.written_patients
        written_for = hold.patient if hold is not None and hold.patient in patients else patients[-1]
        confirmed = await site.system.confirm_hold(
            appointment_id, self._to_hold(site, request), written_for=written_for, just_read=just_read
        )
        claim = Claim(
            reference=request.reference,
            connection=site.location.connection,
            location=site.location.id,
            service=request.service,
            local_day=site.day_of(confirmed.time.start),
            slot=confirmed.slot,
            expires_at=site.clock.now() + 4 * site.consistency_delay,
            visitor=self._visitor(request),
        )
        await self._connections.ledger.claims.mark_landed(claim)
        return confirmed

    def _visitor(self, request: WriteHoldInput) -> Visitor | None:
        if request.visitor is None:
            return None
        return request.visitor.hashed(self._keyed_hash, self._connections.practice.contacts)

    def _to_hold(self, site: Site, request: WriteHoldInput) -> Hold:
        rule = self._rule(request)
        return Hold(
            reference=request.reference,
            location=site.practice_system_id,
            slot=request.slot,
            patient=request.patient,
            title=rule.label,
            reason=rule.reason,
            procedures=rule.procedures,
            new_patient=request.new_patient,
            dependent=request.dependent,
            note=request.note,
        )

    def _rule(self, request: WriteHoldInput) -> ServiceRule:
        return self._connections.practice.rule(request.location, request.service)

    async def _renew_claim(self, site: Site, request: WriteHoldInput) -> Renewal | None:
        """``None`` when the claim is lost. What was written under it must be searched for all the same.

        Raises VisitRefused. A chart that is not the patient's own says nothing about their visits.
        """
        is_own_chart = request.dependent is None and request.patient != site.location.placeholder_patient
        chart = chart_keys(self._keyed_hash, site.location.connection, request.patient) if is_own_chart else ()
        try:
            return await self._connections.ledger.claims.renew(
                request.reference, site.clock.now(), chart, request.limits
            )
        except ClaimLost:
            return None

    async def _send(self, site: Site, request: WriteHoldInput, renewal: Renewal | None) -> Appointment:
        """Send the hold once. Raises ClaimLost when the claim is lost or a newer attempt is running."""
        if renewal is None:
            raise ClaimLost
        claims, booking = self._connections.ledger.claims, activity.info().workflow_id or ""

        async def permit() -> datetime:
            # Read the clock before the ledger: if we sleep in between, the permit expires earlier, not later.
            now = site.clock.now()
            await claims.begin_write(request.reference, renewal, request.slot, booking, now)
            return now + site.send_within

        try:
            return await site.system.write_hold(self._to_hold(site, request), permit)
        except (Refused, RateLimited, Unavailable):
            await claims.abort_write(request.reference, renewal)
            raise

    async def _find_earlier_write(
        self, site: Site, request: WriteHoldInput, renewal: Renewal | None
    ) -> Appointment | None:
        """Find what an earlier write added. ``None``: nothing, as far as anybody can tell, so it may be sent again.

        The wait before each send is twice as long as before the previous one. Raises ApplicationError with
        HOLD_NOT_VISIBLE_YET while that wait is not over, and with HOLD_NEVER_VISIBLE after the maximum number of
        sends.
        """
        if renewal is None or renewal.sent_at is None:
            return await self._find_twice(site, request, site.consistency_delay)
        since_sent = site.clock.now() - renewal.sent_at
        wait = site.resend_after * 2 ** max(renewal.sends - 1, 0) - since_sent
        if wait <= MAX_WAIT_IN_ATTEMPT:
            appointment = await self._find_twice(site, request, max(wait, site.consistency_delay))
            if appointment is None and renewal.sends >= site.system.capabilities.max_sends:
                raise ApplicationError(
                    "the hold was sent the maximum number of times and never became visible",
                    type=HOLD_NEVER_VISIBLE,
                    non_retryable=True,
                )
            return appointment
        appointment = await self._find_and_prune(site, request)
        if appointment is None:
            raise ApplicationError(
                "the hold may still become visible",
                type=HOLD_NOT_VISIBLE_YET,
                next_retry_delay=min(wait, max(since_sent, MIN_SEARCH_INTERVAL)),
                category=ApplicationErrorCategory.BENIGN,
            )
        return appointment

    async def _find_twice(self, site: Site, request: WriteHoldInput, delay: timedelta) -> Appointment | None:
        """Search, and if nothing is found search once more after ``delay``."""
        appointment = await self._find_and_prune(site, request)
        if appointment is None:
            await site.clock.sleep(delay)
            appointment = await self._find_and_prune(site, request)
        return appointment

    async def _find_and_prune(self, site: Site, request: WriteHoldInput) -> Appointment | None:
        """Find our hold by reference, and release leftovers at times that are not wanted any more.

        A leftover that is final by now, through the desk or a late write of ours, is the visit. It is returned, so
        that no second one is written. Raises HoldRemoved if somebody broke the hold, and the booking does not know it.
        """
        our_rows = await site.find_our_rows(request.reference, request.starts, request.written_patients)
        standing = [row for row in our_rows if row.status.occupies_time]
        for leftover in filter(request.is_stale, standing):
            if await release_if_ours(site, request, leftover.id) is ReleaseOutcome.KEPT_BY_DESK:
                return leftover
        hold = next(filter(request.is_our_hold, standing), None)
        removed_ids = tuple(row.id for row in filter(request.is_our_hold, our_rows) if row.id not in request.lost_ids)
        if hold is None and removed_ids:
            raise HoldRemoved(removed_ids)
        return hold

    async def _read_back_and_settle(
        self, site: Site, request: WriteHoldInput, appointment: Appointment
    ) -> tuple[Appointment | None, tuple[Conflict, ...]]:
        """Read the hold as the calendar shows it, and what overlaps it with an older right. Release our twins.

        No hold is returned when somebody has already removed it or made it theirs. Then it is not written again.
        """
        try:
            day, our_appointments = await wait_until_visible(site, request, self._rule(request), appointment)
        except OutsideError:
            activity.heartbeat(
                appointment
            )  # tells the next attempt that it is written, and that nobody has read it back
            raise
        if activity.info().heartbeat_details:
            # It is read back now. If a later attempt finds it gone, it may have yielded: do not blame the desk then.
            activity.heartbeat()
        if not our_appointments:
            return None, ()
        hold = min(
            our_appointments,
            key=lambda a: (a.slot != request.slot, a.status is AppointmentStatus.TENTATIVE, a.creation_order()),
        )
        conflicts = await yield_to_conflicts(site, request, hold, day)
        for twin in with_reference(request.reference, day):
            # Written twice, or committed late for a slot that was lost meanwhile.
            if twin.id not in (hold.id, request.supersedes):
                await release_if_ours(site, request, twin.id)
        if request.supersedes is not None and (not conflicts or hold.slot != request.slot):
            await remove_superseded(site, request, hold)
        return hold, conflicts


def _written_by_last_attempt() -> Appointment | None:
    """The appointment that the previous attempt wrote and could not read back. If it is gone now, somebody removed it.

    The previous attempt leaves it in its heartbeat details.
    """
    details = activity.info().heartbeat_details
    return Appointment.model_validate(details[0]) if details else None


async def _office_is_offline(site: Site, request: SettleLandingInput | ConfirmHoldInput) -> bool:
    if not request.check_online_first:
        return False
    return not await site.system.accepts_writes(site.practice_system_id, since=request.online_since)
