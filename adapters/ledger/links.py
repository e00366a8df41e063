"""Which booking a signed link shows. Only the hash of a link's token is kept."""

from contextlib import suppress
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from adapters.ledger.database import Database
from adapters.ledger.schema import links
from domain.base import Value


class Link(Value):
    booking: str
    """Workflow id of the booking."""
    language: str
    """Of the message that the link came with."""


class Links:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, token_hash: str, link: Link, expires_at: datetime, now: datetime) -> bool:
        """Record a link before it is sent. Returns False if the booking's links are revoked: then it shows nothing.

        A link that is sent again, as by the second attempt at a message, is recorded once.
        """

        def work(c: Connection) -> bool:
            c.execute(delete(links).where(links.c.expires_at < now.timestamp()))
            if c.execute(select(links).where(links.c.booking == link.booking, links.c.revoked)).first():
                return False
            if c.execute(select(links).where(links.c.token_hash == token_hash)).first() is None:
                row = {"token_hash": token_hash, "expires_at": expires_at.timestamp(), "revoked": False}
                c.execute(insert(links).values(**row, **dict(link)))
            return True

        with suppress(IntegrityError):  # a message on the other channel recorded the same link at the same time
            return await self._database.run(work)
        return await self._database.run(work)

    async def find(self, token_hash: str) -> Link | None:
        """``None`` if the link was never sent, is revoked, or ended so long ago that it is forgotten."""
        query = select(links.c.booking, links.c.language).where(links.c.token_hash == token_hash, ~links.c.revoked)
        row = await self._database.run(lambda c: c.execute(query).mappings().first())
        return Link(**row) if row else None

    async def revoke(self, booking: str) -> int:
        """Make every link of this booking show nothing, and give it no new one. Returns how many there were."""
        statement = update(links).where(links.c.booking == booking, ~links.c.revoked).values(revoked=True)
        return await self._database.run(lambda c: c.execute(statement).rowcount)
