"""How news of an appointment finds the booking that wrote it, and is passed on once."""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from adapters.ledger.database import Database
from adapters.ledger.schema import deliveries, writes

REMEMBERED_FOR = timedelta(days=7)
"""Longer than any sender repeats a delivery."""


class News:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def wrote(self, reference: str, appointment_id: str) -> None:
        """The practice system has given our write this id."""
        change = update(writes).where(writes.c.reference == reference).values(appointment=appointment_id)
        await self._database.run(lambda c: c.execute(change))

    async def booking_of(self, connections: Collection[str], appointment_id: str) -> str | None:
        """Workflow id of the booking whose latest write got this id, on one of these connections."""
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

        try:
            await self._database.run(work)
        except IntegrityError:
            return  # another process was as fast


def begin(c: Connection, reference: str, connection: str, booking: str) -> None:
    """Inside the transaction that allows a write: who is about to write under this reference."""
    if c.execute(select(writes.c.reference).where(writes.c.reference == reference)).first() is None:
        c.execute(insert(writes).values(reference=reference, connection=connection, booking=booking))
