"""Changes to an appointment that somebody else may be changing at the same moment.

Ascend has no conditional write: a PUT replaces the whole row, and whatever the desk did since it was read. So the
turns for both calls are waited for before the row is read, and a PUT that was not carried out is made anew from a
new reading. It leaves within ``RESTS_FOR`` of when its row was asked for, or never, however long we slept in between:
what is left is at most that, and most often only the time that the two calls themselves take.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.ascend import wire
from adapters.ascend.fresh_rows import FreshRows, Reading
from adapters.ascend.transport import TokenRefused, Transport
from adapters.errors import NotFound, OutcomeUnknown, Refused, Unavailable

APPOINTMENTS = "/v1/appointments"
RESTS_FOR = timedelta(seconds=5)
"""So long after its row was asked for a write may leave; later it is Unavailable, and the row is to be read anew."""
Wanted = Callable[[wire.Row], wire.Row | None]
"""A full body for the row as it is now; ``None``: nothing to do. May raise to leave it alone."""


class Edits:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.fresh = FreshRows()

    async def read(self, appointment_id: str, *, at_once: bool = False) -> wire.Row:
        path = f"{APPOINTMENTS}/{appointment_id}"
        body = await self._transport.read(path, {"responseFields": "ALL"}, at_once=at_once)
        return one_row(body, Unavailable(f"GET {APPOINTMENTS}: an answer without the row"))

    async def put(self, appointment_id: str, wanted: Wanted, *, just_read: bool = False) -> wire.Row:
        """The row as it then is. Raises NotFound only where the appointment itself is gone."""
        try:
            return await self._put(appointment_id, wanted, just_read)
        except TokenRefused:
            return await self._put(appointment_id, wanted, False)

    async def delete(self, appointment_id: str, broken: Wanted) -> None:
        """Delete what would have to be broken; where that is not allowed, break it. Raises NotFound if it is gone."""
        try:
            await self._delete(appointment_id, broken)
        except TokenRefused:
            await self._delete(appointment_id, broken)

    async def _put(self, appointment_id: str, wanted: Wanted, just_read: bool) -> wire.Row:
        seen = await self._read_to_write(appointment_id, just_read)
        body = wanted(seen.row)
        if body is None:
            return seen.row
        try:
            answer = await self._write("PUT", appointment_id, seen, body)
            return {**body, **written_row(answer), "id": appointment_id}
        except NotFound:
            await self.read(appointment_id)
            raise Refused("PUT: something that the appointment refers to is not there", code="bad_reference") from None
        except OutcomeUnknown:
            row = await self.read(appointment_id)
            if wanted(row) is None:
                return row
            raise

    async def _delete(self, appointment_id: str, broken: Wanted) -> None:
        seen = await self._read_to_write(appointment_id, False)
        if broken(seen.row) is None:
            return
        try:
            await self._write("DELETE", appointment_id, seen)
        except (NotFound, TokenRefused):
            raise
        except Refused:
            await self._put(appointment_id, broken, False)
        except OutcomeUnknown:
            await self.read(appointment_id)
            raise

    async def _read_to_write(self, appointment_id: str, just_read: bool) -> Reading:
        """The row, read no longer ago than it takes, with the turn for the write that is to follow."""
        await self._transport.turn()
        seen = self.fresh.take(appointment_id) if just_read else None
        if seen is None:
            await self._transport.turn()
            asked = datetime.now(UTC)
            seen = Reading(asked, await self.read(appointment_id, at_once=True))
        return seen

    async def _write(self, method: str, appointment_id: str, rests_on: Reading, body: wire.Row | None = None) -> Any:
        async def permit() -> datetime:
            return rests_on.asked + RESTS_FOR

        return await self._transport.write(
            method, f"{APPOINTMENTS}/{appointment_id}", body, at_once=True, permit=permit
        )


def written_row(body: Any) -> wire.Row:
    """The row in the answer to a write; without one with an id, nothing is proven."""
    return one_row(body, OutcomeUnknown("an answer without the row that was written"))


def one_row(body: Any, otherwise: Exception) -> wire.Row:
    data = body.get("data") if isinstance(body, dict) else None
    row = data[0] if isinstance(data, list) and len(data) == 1 else data
    if not isinstance(row, dict) or row.get("id") in (None, ""):
        raise otherwise
    return row
