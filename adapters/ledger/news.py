"""How news of an appointment finds the booking that wrote it, and is passed on once."""

from collections.abc import Collection
from contextlib import suppress
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select
from sqlalchemy.exc import IntegrityError

from adapters.ledger.database import Database
from adapters.ledger.schema import deliveries, writes

NOT_YET_KNOWN = ""
"""Stands for the appointment of a write that has begun."""
REMEMBERED_FOR = timedelta(days=7)
"""Longer than any sender repeats a delivery."""


class News:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def wrote(self, reference: str, appointment_id: str) -> None:
        """The practice system has given a write of ours this id."""

        def work(c: Connection) -> None:
            begun = c.execute(select(writes).where(_of(reference, NOT_YET_KNOWN))).mappings().first()
            if begun is not None and c.execute(select(writes).where(_of(reference, appointment_id))).first() is None:
                c.execute(insert(writes).values({**begun, "appointment": appointment_id}))

        with suppress(IntegrityError):  # another attempt was as fast
            await self._database.run(work)

    async def booking_of(self, connections: Collection[str], appointment_id: str) -> str | None:
        """Workflow id of the booking one of whose writes got this id, on one of these connections."""
        found = select(writes.c.booking).where(
            writes.c.connection.in_(connections), writes.c.appointment == appointment_id
        )
        return await self._database.run(lambda c: c.execute(found).scalar())

    async def booking_with(self, reference: str) -> str | None:
        """Workflow id of the booking that writes under this reference."""
        found = select(writes.c.booking).where(writes.c.reference == reference)
        return await self._database.run(lambda c: c.execute(found).scalar())

    async def is_passed_on(self, key: str) -> bool:
        found = select(deliveries.c.key).where(deliveries.c.key == key)
        return await self._database.run(lambda c: c.execute(found).first() is not None)

    async def passed_on(self, key: str, now: datetime) -> None:
        def work(c: Connection) -> None:
            c.execute(delete(deliveries).where(deliveries.c.at < (now - REMEMBERED_FOR).timestamp()))
            c.execute(insert(deliveries).values(key=key, at=now.timestamp()))

        with suppress(IntegrityError):  # another process was as fast
            await self._database.run(work)


def begin(c: Connection, reference: str, connection: str, booking: str) -> None:
    """Inside the transaction that allows a write: who is about to write under this reference."""
    if c.execute(select(writes.c.reference).where(_of(reference, NOT_YET_KNOWN))).first() is None:
        row = {"reference": reference, "appointment": NOT_YET_KNOWN, "connection": connection, "booking": booking}
        c.execute(insert(writes).values(row))


def _of(reference: str, appointment_id: str) -> ColumnElement[bool]:
    return and_(writes.c.reference == reference, writes.c.appointment == appointment_id)
