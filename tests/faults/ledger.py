"""The ledger of a seed, on SQLite or PostgreSQL: out of reach, out of room, and told who wants no messages."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, create_engine, text

from adapters.ledger import Ledger, LedgerUnavailable
from domain.keyed_hash import KeyedHash
from tests.faults.facts import OptOut

SECRET = b"holdfast tests, neither a secret"
LINK_KEYS = f"test:{base64.b64encode(SECRET).decode()}"
WHOLE = "LOCK TABLE claims, messages, opt_outs IN ACCESS EXCLUSIVE MODE"
READ_ONLY = "ALTER DATABASE postgres SET default_transaction_read_only = {}"
HANG_UP = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = 'postgres'"
)


def engine(url: str) -> Engine:
    return create_engine(
        url.replace("postgresql://", "postgresql+psycopg://", 1), isolation_level="AUTOCOMMIT", pool_pre_ping=True
    )


def is_postgres(url: str) -> bool:
    return url.startswith("postgresql")


@asynccontextmanager
async def locked(url: str) -> AsyncIterator[None]:
    """Nobody else gets at it."""
    with engine(url).connect() as connection:
        await asyncio.to_thread(_begin, connection, url)
        try:
            yield
        finally:
            connection.execute(text("ROLLBACK"))


def _begin(connection: Connection, url: str) -> None:
    connection.execute(text("BEGIN" if is_postgres(url) else "BEGIN IMMEDIATE"))
    if is_postgres(url):
        connection.execute(text(WHOLE))


@asynccontextmanager
async def read_only(url: str) -> AsyncIterator[None]:
    """A PostgreSQL that takes nothing in, as one that is full or a standby."""
    with engine(url).connect() as connection:
        _allow(connection, "on")
        try:
            yield
        finally:
            _allow(connection, "off")


def _allow(connection: Connection, only_reading: str) -> None:
    connection.execute(text("SET default_transaction_read_only = off"))
    connection.execute(text(READ_ONLY.format(only_reading)))
    connection.execute(text(HANG_UP))


async def opt_out(url: str, channel: str, to: str) -> OptOut:
    """As a patient's "STOP" will: from when it is written down."""
    ledger = Ledger(url)
    try:
        address = KeyedHash(SECRET)("address", f"{channel}:{to}")
        while True:
            try:
                await ledger.opt_outs.record(address, channel, "stop", datetime.now(UTC))
                return OptOut(datetime.now(UTC), channel, to)
            except LedgerUnavailable:
                await asyncio.sleep(0.5)
    finally:
        await ledger.close()
