"""Finds the booking behind an appointment event, and remembers which events were forwarded."""

from collections.abc import Collection
from contextlib import suppress
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select
from sqlalchemy.exc import IntegrityError

from adapters.ledger.database import Database
from adapters.ledger.schema import deliveries, writes

APPOINTMENT_UNKNOWN = ""
"""Appointment id of a write that has begun and has no answer yet."""
FORWARDED_EVENT_RETENTION = timedelta(days=7)
"""Longer than any sender repeats a delivery."""


class EventLog:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def record_write(self, reference: str, appointment_id: str) -> None:
        """Record the id that the practice system gave to a write of ours."""

        def work(c: Connection) -> None:
            started = c.execute(select(writes).where(_matches(reference, APPOINTMENT_UNKNOWN))).mappings().first()
            if started is None or c.execute(select(writes).where(_matches(reference, appointment_id))).first():
                return
            c.execute(insert(writes).values({**started, "appointment": appointment_id}))

        with suppress(IntegrityError):  # another attempt recorded it at the same time
            await self._database.run(work)

    async def find_booking_by_appointment(self, connections: Collection[str], appointment_id: str) -> str | None:
        """Workflow id of the booking that wrote this appointment on one of these connections."""
        query = select(writes.c.booking).where(
            writes.c.connection.in_(connections), writes.c.appointment == appointment_id
        )
        return await self._database.run(lambda c: c.execute(query).scalar())

    async def find_booking_by_reference(self, reference: str) -> str | None:
        """Workflow id of the booking that writes under this reference."""
        query = select(writes.c.booking).where(writes.c.reference == reference)
        return await self._database.run(lambda c: c.execute(query).scalar())

    async def was_forwarded(self, key: str) -> bool:
        """Whether the event with this key has already been forwarded."""
        query = select(deliveries.c.key).where(deliveries.c.key == key)
        return await self._database.run(lambda c: c.execute(query).first() is not None)

    async def mark_forwarded(self, key: str, now: datetime) -> None:
        def work(c: Connection) -> None:
            c.execute(delete(deliveries).where(deliveries.c.at < (now - FORWARDED_EVENT_RETENTION).timestamp()))
            c.execute(insert(deliveries).values(key=key, at=now.timestamp()))

        with suppress(IntegrityError):  # another process marked it at the same time
            await self._database.run(work)


def record_write_start(c: Connection, reference: str, connection: str, booking: str) -> None:
    """Record who is about to write under this reference. Runs inside the transaction that permits the write."""
    if c.execute(select(writes.c.reference).where(_matches(reference, APPOINTMENT_UNKNOWN))).first() is None:
        row = {
            "reference": reference,
            "appointment": APPOINTMENT_UNKNOWN,
            "connection": connection,
            "booking": booking,
        }
        c.execute(insert(writes).values(row))


def _matches(reference: str, appointment_id: str) -> ColumnElement[bool]:
    return and_(writes.c.reference == reference, writes.c.appointment == appointment_id)
