"""Tells the desk about rows of the practice system that cannot be read, each once."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import NamedTuple

import structlog

from activities.connections import Connections
from adapters.errors import OutsideError
from adapters.ledger import new_holder
from adapters.practice_system import UnreadableRow
from domain.keyed_hash import KeyedHash
from domain.practice import Location

log = structlog.get_logger(__name__)

REPORT_INTERVAL = timedelta(minutes=5)
"""A desk gets at most one such email in this time."""
LEASE_DURATION = timedelta(minutes=20)
"""Longer than all that one worker has to report takes."""


class Report(NamedTuple):
    """One email to one location's desk."""

    location: Location
    rows_by_key: dict[str, UnreadableRow]
    """The keys are those that the ledger remembers."""


SendReport = Callable[[Report], Awaitable[None]]
"""Sends the email once, however often it is called. Raises the errors of ``adapters.errors``; then call it again."""


class UnreadableRowReporter:
    """Collects the unreadable rows of this process's connections. Only one worker at a time reports."""

    def __init__(self, connections: Connections, keyed_hash: KeyedHash, send_report: SendReport) -> None:
        self._connections = connections
        self._ledger = connections.ledger
        self._keyed_hash = keyed_hash
        self._send_report = send_report
        self._holder = new_holder("unreadable rows")
        self._lease = keyed_hash("lease", "unreadable rows")
        self._unsent: list[Report] = []
        """A report is repeated with the same rows, so that the ledger recognizes it."""

    async def run(self) -> None:
        """Report every now and then, for as long as the process runs."""
        while True:
            await self._connections.clock.sleep(REPORT_INTERVAL)
            try:
                await self.report()
            except OutsideError as error:
                log.warning("unreadable_rows_not_reported", error=type(error).__name__)

    async def report(self) -> None:
        """Tell every desk about rows that it has not heard of. Raises the errors of ``adapters.errors``."""
        self._unsent += self._collect()
        now = self._connections.clock.now()
        if not self._unsent or not await self._hold_lease(now + LEASE_DURATION):
            return
        try:
            while self._unsent:
                await self._report(self._unsent[0])
                del self._unsent[0]
        finally:
            await self._hold_lease(now)

    async def _report(self, report: Report) -> None:
        reported = await self._ledger.reports.find_reported(report.rows_by_key)
        unknown_rows = {key: row for key, row in report.rows_by_key.items() if key not in reported}
        if unknown_rows:
            await self._send_report(Report(report.location, unknown_rows))
            await self._ledger.reports.mark_reported(unknown_rows, self._connections.clock.now())

    async def _hold_lease(self, until: datetime) -> bool:
        return await self._ledger.leases.acquire(self._lease, self._holder, until, self._connections.clock.now())

    def _collect(self) -> list[Report]:
        """One report for each location that has new rows. A row of no known location goes to the first one."""
        reports: dict[str, Report] = {}
        for connection, system in self._connections.systems.items():
            locations = [each for each in self._connections.practice.locations if each.connection == connection]
            by_system_id = {each.practice_system_id: each for each in reversed(locations)}
            for row in system.take_unreadable_rows():
                location = by_system_id.get(row.location or "", locations[0])
                report = reports.setdefault(location.id, Report(location, {}))
                report.rows_by_key[self._keyed_hash("unreadable row", f"{connection}:{row.key}")] = row
        return list(reports.values())
