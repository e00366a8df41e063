"""Faults of a seed's ledger, on SQLite or PostgreSQL: locked or read-only. Also writes opt-outs into it."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, NullPool, create_engine, text

from adapters.ledger import Ledger, LedgerUnavailable
from domain.keyed_hash import KeyedHash
from tests.faults.evidence import OptOut

LINK_SECRET = b"holdfast tests, neither a secret"
LINK_KEYS = f"test:{base64.b64encode(LINK_SECRET).decode()}"
RETRY_DELAY = 0.5
"""Seconds."""
LOCK_TABLES = "LOCK TABLE claims, messages, opt_outs IN ACCESS EXCLUSIVE MODE"
SET_READ_ONLY = "ALTER DATABASE postgres SET default_transaction_read_only = {}"
CLOSE_OTHER_CONNECTIONS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = 'postgres'"
)


def open_engine(url: str) -> Engine:
    return create_engine(
        url.replace("postgresql://", "postgresql+psycopg://", 1), isolation_level="AUTOCOMMIT", poolclass=NullPool
    )


def is_postgres(url: str) -> bool:
    return url.startswith("postgresql")


@asynccontextmanager
async def locked_ledger(url: str) -> AsyncIterator[None]:
    """No other connection can use the ledger."""
    with open_engine(url).connect() as connection:
        await asyncio.to_thread(_lock, connection, url)
        try:
            yield
        finally:
            connection.execute(text("ROLLBACK"))


def _lock(connection: Connection, url: str) -> None:
    connection.execute(text("BEGIN" if is_postgres(url) else "BEGIN IMMEDIATE"))
    if is_postgres(url):
        connection.execute(text(LOCK_TABLES))


@asynccontextmanager
async def read_only_postgres(url: str) -> AsyncIterator[None]:
    """PostgreSQL refuses writes, as a full or standby server does."""
    with open_engine(url).connect() as connection:
        _set_read_only(connection, "on")
        try:
            yield
        finally:
            _set_read_only(connection, "off")


def _set_read_only(connection: Connection, value: str) -> None:
    connection.execute(text("SET default_transaction_read_only = off"))
    connection.execute(text(SET_READ_ONLY.format(value)))
    connection.execute(text(CLOSE_OTHER_CONNECTIONS))  # they would keep the earlier default


async def opt_out(url: str, channel: str, address: str) -> OptOut:
    """Opt an address out, as a patient's "STOP" does. It counts from when the ledger has it."""
    ledger = Ledger(url)
    try:
        address_hash = KeyedHash(LINK_SECRET)("address", f"{channel}:{address}")
        while True:
            try:
                await ledger.opt_outs.record(address_hash, channel, "stop", datetime.now(UTC))
                return OptOut(datetime.now(UTC), channel, address)
            except LedgerUnavailable:
                await asyncio.sleep(RETRY_DELAY)
    finally:
        await ledger.close()
