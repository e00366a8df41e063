"""The lease that a booking needs to create a person's chart."""

from datetime import datetime, timedelta

from temporalio.exceptions import ApplicationError

from activities.connections import Site
from activities.error_types import CHART_LEASE_BUSY, CHART_WRITE_UNSETTLED
from adapters.ledger import Leases, new_holder
from domain.keyed_hash import KeyedHash

LEASE_DURATION = timedelta(minutes=2)
EXPIRED = timedelta(0)
BUSY_RETRY_DELAY = timedelta(seconds=1)


class ChartLease:
    """One attempt's lease on creating a chart, and the ledger's record of a pending write of that chart.

    A newer attempt of the same booking takes the lease over. From then on an older attempt, which may have slept,
    writes no more. The record of what it wrote earlier stays until that write must be visible to everybody.
    """

    def __init__(self, leases: Leases, site: Site, reference: str, person: str, keyed_hash: KeyedHash) -> None:
        """``person``: identifies the person, the same for every booking that needs this chart."""
        self._leases = leases
        self._site = site
        self._holder = new_holder(reference)
        self._lease_key = keyed_hash("chart", person)
        self._pending_write_key = keyed_hash("chart being written", person)

    async def acquire(self) -> None:
        """Raises ApplicationError with CHART_LEASE_BUSY when another booking has the lease."""
        now = self._site.clock.now()
        if not await self._leases.take_over(self._lease_key, self._holder, now + LEASE_DURATION, now):
            raise ApplicationError(
                "another booking is creating this chart", type=CHART_LEASE_BUSY, next_retry_delay=BUSY_RETRY_DELAY
            )

    async def release(self, after: timedelta = EXPIRED) -> None:
        """Let the lease expire ``after`` this time from now."""
        await self._set(self._lease_key, after)

    async def begin_write(self) -> datetime:
        """Record that a write is about to be sent, so that a later attempt knows it. Returns until when to send it.

        Raises ApplicationError with CHART_WRITE_UNSETTLED.
        """
        now = self._site.clock.now()
        key, duration = self._pending_write_key, self._site.late_commit
        if not await self._set(key, duration, now=now, while_holding=self._lease_key):
            raise ApplicationError(
                "a newer attempt is creating this chart, or an earlier write of it may still be carried out",
                type=CHART_WRITE_UNSETTLED,
            )
        return now + self._site.send_within

    async def finish_write(self) -> None:
        """The chart exists.

        The record stays if a newer attempt holds the lease: it may have searched before the chart existed, and must
        not write until it has searched again.
        """
        await self._set(self._pending_write_key, EXPIRED, while_holding=self._lease_key)

    async def abort_write(self) -> None:
        """The write was certainly not carried out."""
        await self._set(self._pending_write_key, EXPIRED)

    async def keep_write_pending(self) -> None:
        """The outcome is unknown: from now on the write may be carried out late."""
        await self._set(self._pending_write_key, self._site.late_commit)

    async def _set(
        self, key: str, duration: timedelta, *, now: datetime | None = None, while_holding: str | None = None
    ) -> bool:
        now = now or self._site.clock.now()
        return await self._leases.acquire(key, self._holder, now + duration, now, while_holding=while_holding)
