"""Whose turn it is to create a person's chart, and what may still come of a write that somebody sent."""

from datetime import datetime, timedelta

from temporalio.exceptions import ApplicationError

from activities.connections import Site, utc_now
from adapters.ledger import Leases, new_holder
from domain.keyed_hash import KeyedHash

LASTS = timedelta(minutes=2)
OVER = timedelta(0)


class ChartLease:
    """The turn of one attempt of one booking, and the record that its write is on the way.

    A newer attempt of the booking takes the turn over; from then on an older one, which may have slept, does not write
    any more, and what it wrote before stays on record until it must be there for all to see.
    """

    def __init__(self, leases: Leases, site: Site, reference: str, person: str, hashed: KeyedHash) -> None:
        """``person``: the same for all who ask for this chart."""
        self._leases = leases
        self._site = site
        self._holder = new_holder(reference)
        self._turn, self._write = hashed("chart", person), hashed("chart being written", person)

    async def take(self) -> None:
        now = utc_now()
        if not await self._leases.take_over(self._turn, self._holder, now + LASTS, now):
            raise ApplicationError(
                "another booking is creating this chart", type="Busy", next_retry_delay=timedelta(seconds=1)
            )

    async def end(self, after: timedelta = OVER) -> None:
        await self._lease(self._turn, after)

    async def permit(self) -> datetime:
        """Put the write on record, so that whoever comes after a crash knows; until when it may be sent."""
        now = utc_now()
        if not await self._lease(self._write, self._site.late_commit, now=now, while_holding=self._turn):
            raise ApplicationError(
                "a later attempt is creating this chart, or an earlier write of it may still be carried out",
                type="Unsettled",
            )
        return now + self._site.send_within

    async def written(self) -> None:
        """It is there. Who took the turn over may have looked before that, and must not write yet."""
        await self._lease(self._write, OVER, while_holding=self._turn)

    async def not_written(self) -> None:
        await self._lease(self._write, OVER)

    async def may_come_late(self) -> None:
        await self._lease(self._write, self._site.late_commit)

    async def _lease(
        self, key: str, lasts: timedelta, *, now: datetime | None = None, while_holding: str | None = None
    ) -> bool:
        now = now or utc_now()
        return await self._leases.take(key, self._holder, now + lasts, now, while_holding=while_holding)
