"""Changes to an appointment that somebody else may be changing at the same moment.

Ascend has no conditional write: a PUT replaces the whole row, and whatever the desk did since it was read. So the
turns for both calls are waited for before the row is read, and a PUT that was not carried out is made anew from a
new reading. What is left is the time that the two calls themselves take.
"""

from collections.abc import Callable
from typing import Any

from adapters.ascend import wire
from adapters.ascend.fresh_rows import FreshRows
from adapters.ascend.transport import TokenRefused, Transport
from adapters.errors import NotFound, OutcomeUnknown, Refused, Unavailable

APPOINTMENTS = "/v1/appointments"
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
        row = await self._read_to_write(appointment_id, just_read)
        body = wanted(row)
        if body is None:
            return row
        path = f"{APPOINTMENTS}/{appointment_id}"
        try:
            answer = await self._transport.write("PUT", path, body, at_once=True)
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
        if broken(await self._read_to_write(appointment_id, False)) is None:
            return
        try:
            await self._transport.write("DELETE", f"{APPOINTMENTS}/{appointment_id}", at_once=True)
        except (NotFound, TokenRefused):
            raise
        except Refused:
            await self._put(appointment_id, broken, False)
        except OutcomeUnknown:
            await self.read(appointment_id)
            raise

    async def _read_to_write(self, appointment_id: str, just_read: bool) -> wire.Row:
        """The row, read no longer ago than it takes, with the turn for the write that is to follow."""
        await self._transport.turn()
        row = self.fresh.take(appointment_id) if just_read else None
        if row is None:
            await self._transport.turn()
            row = await self.read(appointment_id, at_once=True)
        return row


def written_row(body: Any) -> wire.Row:
    """The row in the answer to a write; without one with an id, nothing is proven."""
    return one_row(body, OutcomeUnknown("an answer without the row that was written"))


def one_row(body: Any, otherwise: Exception) -> wire.Row:
    data = body.get("data") if isinstance(body, dict) else None
    row = data[0] if isinstance(data, list) and len(data) == 1 else data
    if not isinstance(row, dict) or row.get("id") in (None, ""):
        raise otherwise
    return row
