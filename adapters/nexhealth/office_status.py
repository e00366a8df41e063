"""Whether an office takes in what is queued for it, read sparsely: every reading costs a call."""

import asyncio
from datetime import UTC, datetime, timedelta

import structlog

from adapters.errors import OutsideError
from adapters.nexhealth.transport import Row, Transport

log = structlog.get_logger(__name__)

SYNC_STATUS = "/sync_status"


class OfficeStatus:
    """One reading for everybody who asks, until it is old."""

    def __init__(self, transport: Transport, lasts: timedelta) -> None:
        self._transport = transport
        self._lasts = lasts
        self._off: frozenset[str] = frozenset()
        self._read_at: datetime | None = None
        self._reading = asyncio.Lock()

    async def accepts_writes(self, location: str, since: datetime | None) -> bool:
        async with self._reading:
            now = datetime.now(UTC)
            if self._read_at is None or self._read_at < max(now - self._lasts, since or self._read_at):
                self._off, self._read_at = await self._read(), now
            return location not in self._off

    async def _read(self) -> frozenset[str]:
        """Locations that are off; what cannot be read says nothing against any."""
        try:
            sources: list[Row] = await self._transport.read(SYNC_STATUS) or []
        except OutsideError as trouble:
            log.warning("the offices' status cannot be read", cause=type(trouble).__name__)
            return frozenset()
        by_status: dict[bool, set[str]] = {True: set(), False: set()}
        for source in sources:
            by_status[source.get("write_status") == "red"].update(places_of(source))
        return frozenset(by_status[True] - by_status[False])


def places_of(source: Row) -> list[str]:
    """Locations whose calendars come from this source."""
    return [str(place.get("id")) for place in source.get("locations") or []]
