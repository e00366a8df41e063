"""Exclusive short leases on what only one may do at a time."""

import secrets
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from adapters.ledger.database import Database
from adapters.ledger.schema import leases


def new_holder(owner: str) -> str:
    """One of this owner's, like no other."""
    return f"{owner}/{secrets.token_hex(8)}"


class Leases:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(
        self, key: str, holder: str, until: datetime, now: datetime, *, while_holding: str | None = None
    ) -> bool:
        """Take it, or set its end anew. False where another holds it.

        False also where the lease ``while_holding`` was taken by another since the holder took it.
        """

        def work(c: Connection) -> bool:
            if while_holding is not None and not _is_held(c, while_holding, holder):
                return False
            return _take(c, key, holder, until, _is_over(now))

        return await self._run(work)

    async def take_over(self, key: str, holder: str, until: datetime, now: datetime) -> bool:
        """Take it, also from an earlier holder of the same owner. False where another owner's has it."""
        own = leases.c.holder.startswith(f"{holder.rpartition('/')[0]}/", autoescape=True)
        return await self._run(lambda c: _take(c, key, holder, until, or_(own, _is_over(now))))

    async def _run(self, work: Callable[[Connection], bool]) -> bool:
        try:
            return await self._database.run(work)
        except IntegrityError:  # another was as fast
            return False


def _take(c: Connection, key: str, holder: str, until: datetime, is_free: ColumnElement[bool]) -> bool:
    c.execute(delete(leases).where(leases.c.key == key, is_free))
    mine = leases.c.key == key, leases.c.holder == holder
    if c.execute(update(leases).where(*mine).values(until=until.timestamp())).rowcount:
        return True
    if c.execute(select(leases.c.key).where(leases.c.key == key)).first():
        return False
    c.execute(insert(leases).values(key=key, holder=holder, until=until.timestamp()))
    return True


def _is_over(now: datetime) -> ColumnElement[bool]:
    return leases.c.until <= now.timestamp()


def _is_held(c: Connection, key: str, holder: str) -> bool:
    """Nobody takes it from now until this transaction ends."""
    mine = select(leases.c.key).where(leases.c.key == key, leases.c.holder == holder)
    return c.execute(mine.with_for_update()).first() is not None
