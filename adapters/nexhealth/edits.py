"""Changes to an appointment behind NexHealth that the desk may be changing at the same moment.

NexHealth has no conditional write. A PATCH changes only the fields that it names, but it may still meet an
appointment that the desk has just made its own. So a change leaves within ``MAX_READ_AGE`` of the request for the row
on which it depends, or never.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from adapters.errors import NotFound, OutcomeUnknown, Refused, Unavailable, Unreadable
from adapters.nexhealth import wire
from adapters.nexhealth.refusals import NOT_LANDED_RETRY_AFTER
from adapters.nexhealth.transport import Transport, written_row
from adapters.practice_system import ReleaseOutcome, SendPermit
from domain.calendar import Appointment, LandingState
from domain.ownership import Owner

APPOINTMENTS = "/appointments"
MAX_READ_AGE = timedelta(minutes=2)
"""A change may leave this long after its row was requested. After that it is Unavailable, and the row must be read
again. Unlike with Ascend, this includes the waits for the rate limit of both calls."""
ComputeChanges = Callable[[Appointment], wire.Row | None]
"""From the current appointment, computes the fields to change, or ``None`` if there is nothing to do. May raise to
leave the appointment alone."""
FindOwner = Callable[[wire.Row, Appointment], Awaitable[Owner]]


class AppointmentEditor:
    def __init__(self, transport: Transport, *, reads_notes: bool) -> None:
        """``reads_notes``: as for ``wire.appointment``."""
        self._transport = transport
        self._reads_notes = reads_notes

    async def read(self, appointment_id: str) -> Appointment:
        return self.parse(await self._transport.read_item(APPOINTMENTS, appointment_id))

    def parse(self, row: wire.Row) -> Appointment:
        return wire.appointment(row, reads_notes=self._reads_notes)

    def reference_of(self, row: wire.Row) -> str | None:
        return wire.reference(row, reads_notes=self._reads_notes)

    async def change(self, appointment_id: str, compute_changes: ComputeChanges) -> Appointment:
        """Read the appointment, and change it if it has landed. If that is not plainly done, look whether it was.

        The desk may have done the same, or a late call of ours: NexHealth refuses to do it twice.
        Raises Unavailable while it has not landed: NexHealth refuses such changes until then.
        """
        permit = _permit_from_now()
        appointment = await self.read(appointment_id)
        changes = compute_changes(appointment)
        if changes is None:
            return appointment
        if appointment.landing is not LandingState.LANDED:
            raise Unavailable("the appointment has not landed in the office system", NOT_LANDED_RETRY_AFTER)
        try:
            return await self._patch(appointment_id, changes, permit)
        except NotFound as missing:
            # NexHealth answers 404 for a missing appointment and for a missing record that the changes name.
            await self.read(appointment_id)
            raise bad_reference(missing) from None
        except (OutcomeUnknown, Refused):
            appointment = await self.read(appointment_id)
            if compute_changes(appointment) is None:
                return appointment
            raise

    async def cancel_if_ours(self, appointment_id: str, find_owner: FindOwner) -> ReleaseOutcome:
        """Cancel the appointment if its owner is the booking. This also works before it has landed."""
        permit = _permit_from_now()
        try:
            row = await self._transport.read_item(APPOINTMENTS, appointment_id)
        except NotFound:
            return ReleaseOutcome.RELEASED
        owner = await find_owner(row, self.parse(row))
        if owner is Owner.NOBODY:
            return ReleaseOutcome.RELEASED
        if owner is Owner.DESK:
            return ReleaseOutcome.KEPT_BY_DESK
        try:
            await self._patch(appointment_id, {"cancelled": True}, permit)
        except NotFound:
            return ReleaseOutcome.RELEASED
        except Refused as refusal:
            if refusal.code != "already_cancelled":
                raise
        except OutcomeUnknown:
            if (await self.read(appointment_id)).status.occupies_time:
                raise
        return ReleaseOutcome.RELEASED

    async def _patch(self, appointment_id: str, changes: wire.Row, permit: SendPermit) -> Appointment:
        path = f"{APPOINTMENTS}/{appointment_id}"
        data = await self._transport.write("PATCH", path, {"appt": changes}, permit=permit)
        try:
            return self.parse(written_row(data, "appt"))
        except Unreadable as unclear:
            raise OutcomeUnknown(f"PATCH {APPOINTMENTS}: {unclear}") from None


def bad_reference(missing: NotFound) -> Refused:
    return Refused(f"{missing.reason}: a record that it names does not exist", code="bad_reference")


def _permit_from_now() -> SendPermit:
    """Taken right before the row is requested, so that the permit ends ``MAX_READ_AGE`` after that."""
    send_before = datetime.now(UTC) + MAX_READ_AGE

    async def permit() -> datetime:
        return send_before

    return permit
