"""Remembers what the desk was told about, so that several workers tell it once."""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select

from adapters.ledger.database import Database
from adapters.ledger.schema import deliveries

REPORT_RETENTION = timedelta(days=365)
"""A row that is still unreadable after this time is reported again."""


class ReportLog:
    """Shares a table with the forwarded events: both are keys that need no second look for a while."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find_reported(self, keys: Collection[str]) -> frozenset[str]:
        """Those of the keys that the desk was told about."""
        query = select(deliveries.c.key).where(deliveries.c.key.in_(keys))
        return frozenset(await self._database.run(lambda c: c.execute(query).scalars().all()))

    async def mark_reported(self, keys: Collection[str], now: datetime) -> None:
        until = (now + REPORT_RETENTION).timestamp()

        def work(c: Connection) -> None:
            c.execute(delete(deliveries).where(deliveries.c.key.in_(keys)))
            c.execute(insert(deliveries), [{"key": key, "at": until} for key in keys])

        await self._database.run(work)
