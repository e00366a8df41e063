"""Whether an office accepts the writes that are queued for it. Read rarely, because every read costs a call."""

import asyncio
from datetime import UTC, datetime, timedelta

import structlog

from adapters.errors import OutsideError
from adapters.nexhealth.transport import Transport, rows_of
from adapters.nexhealth.wire import Row
from adapters.rows import as_row, readable_id

log = structlog.get_logger(__name__)

SYNC_STATUS = "/sync_status"


class OfficeStatus:
    """One reading that serves everybody who asks until it is too old."""

    def __init__(self, transport: Transport, max_age: timedelta) -> None:
        self._transport = transport
        self._max_age = max_age
        self._offline_locations: frozenset[str] = frozenset()
        self._read_at: datetime | None = None
        self._reading = asyncio.Lock()

    async def accepts_writes(self, location: str, since: datetime | None) -> bool:
        """Whether the location's office accepts writes. The answer is not older than ``since``, if that is given."""
        async with self._reading:
            now = datetime.now(UTC)
            if self._read_at is None or self._read_at < max(now - self._max_age, since or self._read_at):
                self._offline_locations, self._read_at = await self._read_offline_locations(), now
            return location not in self._offline_locations

    async def _read_offline_locations(self) -> frozenset[str]:
        """Locations whose office accepts no writes. If the status is unreadable, every office counts as online.

        A location with several sources is offline only if all of them are: NexHealth shows "red" for those.
        """
        try:
            sources = rows_of(await self._transport.read(SYNC_STATUS) or [], SYNC_STATUS)
        except OutsideError as error:
            log.warning("office_status_unreadable", error=type(error).__name__)
            return frozenset()
        locations_by_offline: dict[bool, set[str]] = {True: set(), False: set()}
        for source in sources:
            locations_by_offline[source.get("write_status") == "red"].update(location_ids(source))
        return frozenset(locations_by_offline[True] - locations_by_offline[False])


def location_ids(source: Row) -> list[str]:
    """Locations whose calendars come from this source."""
    locations = source.get("locations")
    ids = [readable_id(as_row(each).get("id")) for each in locations] if isinstance(locations, list) else []
    return [location for location in ids if location is not None]
