"""Short transactions on SQLite or PostgreSQL, off the event loop."""

import asyncio
import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sqlalchemy import Connection, create_engine, event, func, select
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from adapters.errors import Unavailable

Result = TypeVar("Result")


MAX_POSTGRES_TRANSACTIONS = 10
"""Concurrent transactions on PostgreSQL. SQLite has one writer; others would wait for it with growing back-off."""


class LedgerUnavailable(Unavailable):
    """The ledger's database is locked, full or unreachable. Nothing was written."""


class Database:
    def __init__(self, url: str) -> None:
        self.url = url.replace("postgresql://", "postgresql+psycopg://", 1)
        self.is_sqlite = self.url.startswith("sqlite")
        self.engine = create_engine(self.url, pool_pre_ping=not self.is_sqlite)
        self._threads = ThreadPoolExecutor(1 if self.is_sqlite else MAX_POSTGRES_TRANSACTIONS, "ledger")
        if self.is_sqlite:
            event.listen(self.engine, "connect", _tune_sqlite)
            event.listen(self.engine, "begin", _begin_immediate)

    async def run(self, work: Callable[[Connection], Result]) -> Result:
        """Run ``work`` inside one transaction. Raises LedgerUnavailable; integrity errors pass through."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._run, work)

    def _run(self, work: Callable[[Connection], Result]) -> Result:
        try:
            with self.engine.begin() as connection:
                return work(connection)
        except IntegrityError:
            raise
        except (OperationalError, DBAPIError) as failure:
            raise LedgerUnavailable(f"the ledger is unavailable: {type(failure.orig).__name__}") from None

    async def close(self) -> None:
        await asyncio.to_thread(self._threads.shutdown)
        await asyncio.to_thread(self.engine.dispose)


def serialize_on(c: Connection, *subjects: str) -> None:
    """Make transactions with a common subject run one after another. The lock lasts until this transaction ends.

    Call it before reading what other transactions may change. Locks are taken in one fixed order, so that no two
    transactions wait for each other. SQLite has only one writer and needs no lock.
    """
    if c.dialect.name != "postgresql":
        return
    for number in sorted(_lock_number(subject) for subject in subjects):
        c.execute(select(func.pg_advisory_xact_lock(number)))


def _lock_number(subject: str) -> int:
    return int.from_bytes(hashlib.sha256(subject.encode()).digest()[:8], signed=True)


def _tune_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver must not open transactions of its own
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=5000", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    """Take the write lock at the start of a transaction, where waiting is safe, instead of failing in the middle."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
