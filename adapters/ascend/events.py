"""Blocked time: lunch, meetings, holidays."""

import math
import time
from datetime import timedelta

import structlog

from adapters.ascend import wire
from adapters.ascend.listing import ALL, Listing, instant_text, where
from adapters.ascend.recurrence import KNOWN, kind
from adapters.errors import NotFound, Refused
from adapters.rows import when
from adapters.shared_reads import SharedReads

log = structlog.get_logger(__name__)

EVENTS = "/v1/events"
OVERLAP = timedelta(minutes=1)
"""Rows may become visible in another order than that of their stamps: changes are asked for from so long before."""


class Events:
    """Every event of the account, of whatever location or of none: a filter might leave out the latter.

    They are read whole once in ``whole_for``; in between, only what was changed since. That misses what was
    deleted, which stays closed until they are read whole again.
    """

    def __init__(self, listing: Listing, whole_for: timedelta) -> None:
        self._listing = listing
        self._whole_for = whole_for.total_seconds()
        self._rows: dict[str, wire.Row] = {}
        self._read_at = self._whole_at = -math.inf
        self._filtered = True
        self._shared: SharedReads[list[wire.Row]] = SharedReads()

    async def at(self, location: str, no_older_than: timedelta) -> list[wire.Row]:
        """What concerns a location, as read at most so long ago; zero: read now."""
        if time.monotonic() - self._read_at < no_older_than.total_seconds():
            rows = list(self._rows.values())
        else:
            rows = await self._shared(EVENTS, self._look)
        return [row for row in rows if wire.ref(row, "location") in (None, location)]

    async def problems(self) -> list[str]:
        """What keeps us from seeing closed time, in plain words."""
        try:
            rows = await self._whole()
        except NotFound:
            return [f"Ascend offers no {EVENTS} here: lunch, meetings and holidays are not seen, only opening hours"]
        odd = {kind(row) for row in rows.values()} - KNOWN
        return [f"events recur in a way unknown to us ({name}): they are taken as daily" for name in sorted(odd)]

    async def _look(self) -> list[wire.Row]:
        begun = time.monotonic()
        whole = not self._filtered or begun - self._whole_at > self._whole_for or not self._since()
        try:
            found = await self._whole() if whole else self._rows | await self._changed()
        except NotFound:
            log.warning("ascend has no events: closed time is not seen")
            found = {}
        if begun > self._read_at:
            self._rows, self._read_at = found, begun
            self._whole_at = begun if whole else self._whole_at
        return list(found.values())

    async def _whole(self) -> dict[str, wire.Row]:
        return {str(row["id"]): row for row in await self._listing.rows(EVENTS, fields=ALL)}

    async def _changed(self) -> dict[str, wire.Row]:
        try:
            rows = await self._listing.rows(EVENTS, where(("lastModified", ">=", self._since())), fields=ALL)
        except Refused as refusal:
            if refusal.code != "400":
                raise
            self._filtered = False
            return await self._whole()
        return {str(row["id"]): row for row in rows}

    def _since(self) -> str:
        stamps = [when(row, "lastModified") for row in self._rows.values() if row.get("lastModified")]
        return instant_text(max(stamps) - OVERLAP) if stamps else ""
