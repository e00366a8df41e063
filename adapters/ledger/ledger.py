"""The ledger: the database for what bookings share."""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy.exc import SQLAlchemyError

from adapters.ledger.claims import Claims
from adapters.ledger.database import Database, LedgerUnavailable
from adapters.ledger.events import EventLog
from adapters.ledger.leases import Leases
from adapters.ledger.links import Links
from adapters.ledger.messages import MessageLedger, OptOuts
from adapters.ledger.probe import check_file, write_row
from adapters.ledger.reports import ReportLog
from adapters.ledger.shared_profile import SharedProfile

_MIGRATIONS = Path(__file__).parent / "migrations"
_MIGRATION_LOCK = 4711
"""PostgreSQL advisory lock that a migrating process holds."""


class Ledger:
    def __init__(self, url: str) -> None:
        """``url``: a SQLAlchemy URL for SQLite or PostgreSQL."""
        self._database = Database(url)
        self.claims = Claims(self._database)
        self.leases = Leases(self._database)
        self.messages = MessageLedger(self._database)
        self.opt_outs = OptOuts(self._database)
        self.events = EventLog(self._database)
        self.links = Links(self._database)
        self.reports = ReportLog(self._database)
        self.shared_profile = SharedProfile(self._database)

    async def migrate(self) -> None:
        """Upgrade the tables to this version. Several processes may call it at once. Raises LedgerUnavailable."""
        try:
            await asyncio.to_thread(self._migrate)
        except (SQLAlchemyError, CommandError) as failure:
            reason = str(getattr(failure, "orig", failure)).partition("\n")[0]
            raise LedgerUnavailable(f"the ledger cannot be opened, see LEDGER_URL: {reason}") from None

    def _migrate(self) -> None:
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS))
        with self._database.engine.begin() as connection:
            if not self._database.is_sqlite:
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    async def probe(self) -> None:
        """Write to the ledger, and see that the write is where others read. Raises LedgerUnavailable."""
        written_at = await self._database.run(write_row)
        if self._database.is_sqlite:
            await asyncio.to_thread(check_file, Path(self._database.engine.url.database or ""), written_at)

    async def close(self) -> None:
        await self._database.close()
