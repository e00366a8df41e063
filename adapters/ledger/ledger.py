"""The ledger as a whole."""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy.exc import SQLAlchemyError

from adapters.ledger.claims import Claims
from adapters.ledger.database import Database, LedgerUnavailable
from adapters.ledger.leases import Leases
from adapters.ledger.messages import MessageLedger, OptOuts
from adapters.ledger.news import News

_MIGRATIONS = Path(__file__).parent / "migrations"


class Ledger:
    """SQLite or PostgreSQL, by URL."""

    def __init__(self, url: str) -> None:
        self._database = Database(url)
        self.claims = Claims(self._database)
        self.leases = Leases(self._database)
        self.messages = MessageLedger(self._database)
        self.news = News(self._database)
        self.consent = OptOuts(self._database)

    async def migrate(self) -> None:
        """Bring the tables to this version; safe to call from several processes. Raises LedgerUnavailable."""
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
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(4711)")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    async def close(self) -> None:
        await self._database.close()
