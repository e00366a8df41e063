"""Exclusive short leases: locks that expire by themselves."""

import secrets
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from adapters.ledger.database import Database
from adapters.ledger.schema import leases


def new_holder(owner: str) -> str:
    """A unique holder name for one attempt of this owner."""
    return f"{owner}/{secrets.token_hex(8)}"


class Leases:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def acquire(
        self, key: str, holder: str, until: datetime, now: datetime, *, while_holding: str | None = None
    ) -> bool:
        """Acquire the lease until ``until``, or set a new end if ``holder`` has it already.

        An end at or before ``now`` releases it. Returns False if another holder has it. With ``while_holding`` also
        returns False if another holder has acquired that other lease since ``holder`` acquired it.
        """

        def work(c: Connection) -> bool:
            if while_holding is not None and not _lock_held_lease(c, while_holding, holder):
                return False
            return _acquire(c, key, holder, until, _expired_before(now))

        return await self._run(work)

    async def take_over(self, key: str, holder: str, until: datetime, now: datetime) -> bool:
        """Acquire the lease, also from an earlier holder of the same owner. False if another owner has it."""
        same_owner = leases.c.holder.startswith(f"{holder.rpartition('/')[0]}/", autoescape=True)
        return await self._run(lambda c: _acquire(c, key, holder, until, or_(same_owner, _expired_before(now))))

    async def _run(self, work: Callable[[Connection], bool]) -> bool:
        try:
            return await self._database.run(work)
        except IntegrityError:  # another holder acquired it at the same time
            return False


def _acquire(c: Connection, key: str, holder: str, until: datetime, can_be_taken: ColumnElement[bool]) -> bool:
    c.execute(delete(leases).where(leases.c.key == key, can_be_taken))
    own_lease = leases.c.key == key, leases.c.holder == holder
    if c.execute(update(leases).where(*own_lease).values(until=until.timestamp())).rowcount:
        return True
    if c.execute(select(leases.c.key).where(leases.c.key == key)).first():
        return False
    c.execute(insert(leases).values(key=key, holder=holder, until=until.timestamp()))
    return True


def _expired_before(now: datetime) -> ColumnElement[bool]:
    return leases.c.until <= now.timestamp()


def _lock_held_lease(c: Connection, key: str, holder: str) -> bool:
    """Lock the row of a lease that ``holder`` has, until this transaction ends. False if ``holder`` lost it."""
    own_lease = select(leases.c.key).where(leases.c.key == key, leases.c.holder == holder)
    return c.execute(own_lease.with_for_update()).first() is not None
