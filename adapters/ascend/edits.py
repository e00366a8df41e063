"""Changes to an appointment that the desk may be changing at the same moment.

Ascend has no conditional write. A PUT replaces the whole row, and with it whatever the desk did since we read it. So
``AppointmentEditor`` waits for the rate limit of both calls before it reads the row, and a PUT that was not carried
out is computed again from a new reading. A write leaves within ``MAX_READ_AGE`` of the request for its row, or never,
however long the process was suspended in between. What remains is a gap of at most that time; in most cases it is
only as long as the two calls themselves.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.ascend import wire
from adapters.ascend.fresh_rows import FreshRows, RowReading
from adapters.ascend.transport import TokenRefused, Transport
from adapters.errors import NotFound, OutcomeUnknown, Refused, Unavailable
from adapters.rows import readable_id

APPOINTMENTS = "/v1/appointments"
MAX_READ_AGE = timedelta(seconds=5)
"""A write may leave this long after its row was requested. After that it is Unavailable, and the row must be read
again."""
ComputeBody = Callable[[wire.Row], wire.Row | None]
"""From the current row, computes the full body to write, or ``None`` if there is nothing to do. May raise to leave the
row alone."""


class AppointmentEditor:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.fresh_rows = FreshRows()

    async def read(self, appointment_id: str, *, has_waited: bool = False) -> wire.Row:
        """``has_waited``: the caller has waited for the rate limit."""
        path = f"{APPOINTMENTS}/{appointment_id}"
        body = await self._transport.read(path, {"responseFields": "ALL"}, has_waited=has_waited)
        return one_row(body, Unavailable(f"GET {APPOINTMENTS}: an answer without the row"))

    async def put(self, appointment_id: str, compute_body: ComputeBody, *, just_read: bool = False) -> wire.Row:
        """Write the computed body, and return the row as it is then.

        ``just_read``: use the row of a calendar read if it is still fresh.
        Raises NotFound only if the appointment itself is gone.
        """
        try:
            return await self._put(appointment_id, compute_body, just_read)
        except TokenRefused:
            return await self._put(appointment_id, compute_body, False)

    async def delete(self, appointment_id: str, compute_broken: ComputeBody) -> None:
        """Delete the appointment. If Ascend refuses that, write it as broken. Raises NotFound if it is gone.

        ``compute_broken`` also decides whether there is anything to delete, and may raise to leave the row alone.
        """
        try:
            await self._delete(appointment_id, compute_broken)
        except TokenRefused:
            await self._delete(appointment_id, compute_broken)

    async def _put(self, appointment_id: str, compute_body: ComputeBody, just_read: bool) -> wire.Row:
        reading = await self._read_to_write(appointment_id, just_read)
        body = compute_body(reading.row)
        if body is None:
            return reading.row
        try:
            response_body = await self._write("PUT", appointment_id, reading, body)
            return {**body, **written_row(response_body), "id": appointment_id}
        except NotFound:
            # Ascend answers 404 for a missing appointment and for a missing record that the body names.
            await self.read(appointment_id)
            raise Refused("PUT: a record that the appointment names does not exist", code="bad_reference") from None
        except TokenRefused:
            raise
        except (OutcomeUnknown, Refused):
            row = await self.read(appointment_id)
            if compute_body(row) is None:
                return row
            raise

    async def _delete(self, appointment_id: str, compute_broken: ComputeBody) -> None:
        reading = await self._read_to_write(appointment_id, False)
        if compute_broken(reading.row) is None:
            return
        try:
            await self._write("DELETE", appointment_id, reading)
        except (NotFound, TokenRefused):
            raise
        except Refused:
            await self._put(appointment_id, compute_broken, False)
        except OutcomeUnknown:
            await self.read(appointment_id)
            raise

    async def _read_to_write(self, appointment_id: str, just_read: bool) -> RowReading:
        """The row, read after every wait is over: the rate limit then allows the write that follows, too."""
        await self._transport.wait_for_capacity()
        reading = self.fresh_rows.pop(appointment_id) if just_read else None
        if reading is None:
            await self._transport.wait_for_capacity()
            requested_at = datetime.now(UTC)
            reading = RowReading(requested_at, await self.read(appointment_id, has_waited=True))
        return reading

    async def _write(self, method: str, appointment_id: str, reading: RowReading, body: wire.Row | None = None) -> Any:
        async def permit() -> datetime:
            return reading.requested_at + MAX_READ_AGE

        return await self._transport.write(
            method, f"{APPOINTMENTS}/{appointment_id}", body, has_waited=True, permit=permit
        )


def written_row(body: Any) -> wire.Row:
    """The row in the response to a write. Raises OutcomeUnknown if there is none with an id: nothing is proven."""
    return one_row(body, OutcomeUnknown("an answer without the row that was written"))


def one_row(body: Any, error: Exception) -> wire.Row:
    """The one row of a response. Raises ``error`` if there is none with an id."""
    data = body.get("data") if isinstance(body, dict) else None
    row = data[0] if isinstance(data, list) and len(data) == 1 else data
    if not isinstance(row, dict) or readable_id(row.get("id")) is None:
        raise error
    return row
