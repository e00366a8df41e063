"""Reading Ascend's events: lunch, meetings, holidays and other blocked time."""

import math
import time
from datetime import UTC, datetime, timedelta

import structlog

from adapters.ascend import wire
from adapters.ascend.paging import ALL_FIELDS, CollectionReader, filter_text, instant_text
from adapters.ascend.recurrence import KNOWN_KINDS, recurrence_kind
from adapters.errors import NotFound, Refused
from adapters.rows import readable_id, readable_instant, row_key
from adapters.shared_reads import SharedReads

log = structlog.get_logger(__name__)

EVENTS = "/v1/events"
CHANGES_OVERLAP = timedelta(minutes=1)
"""A row may become visible later than one with a newer ``lastModified``. So changes are asked for again from this
much before the newest one that we know."""

MAX_CLOCK_ERROR = timedelta(hours=1)
"""How much the vendor's clock may be ahead of ours."""


class BlockedTime:
    """All events of the account, for every location and for none. A filter by location might leave out the latter.

    They are read completely once in ``full_read_interval``. In between, we ask only for what was changed since. That
    does not show deleted events, which keep their time closed until the next complete read.
    """

    def __init__(self, collections: CollectionReader, full_read_interval: timedelta) -> None:
        self._collections = collections
        self._full_read_interval = full_read_interval.total_seconds()
        self._rows: dict[str, wire.Row] = {}
        self._read_at = self._fully_read_at = -math.inf
        """By the monotonic clock."""
        self._can_filter_by_change = True
        self._shared_reads: SharedReads[list[wire.Row]] = SharedReads()

    async def rows(self, max_age: timedelta) -> list[wire.Row]:
        """All events, as read within ``max_age``. Zero means: read now."""
        if time.monotonic() - self._read_at < max_age.total_seconds():
            return list(self._rows.values())
        return await self._shared_reads(EVENTS, self._refresh)

    async def problems(self) -> list[str]:
        """Why we may not see all closed time, in plain words."""
        try:
            rows = await self._read_all()
        except NotFound:
            return [
                f"Ascend offers no {EVENTS} here. Lunch, meetings and holidays are not seen; only opening hours count"
            ]
        unknown_kinds = {recurrence_kind(row) for row in rows.values()} - KNOWN_KINDS
        return [
            f"some events recur in a way that we do not know ({readable_id(kind) or 'unreadable'}). "
            "We treat them as daily"
            for kind in sorted(unknown_kinds)
        ]

    async def _refresh(self) -> list[wire.Row]:
        started_at = time.monotonic()
        read_all = (
            not self._can_filter_by_change
            or started_at - self._fully_read_at > self._full_read_interval
            or not self._changes_since()
        )
        try:
            rows = await self._read_all() if read_all else self._rows | await self._read_changes()
        except NotFound:
            log.warning("ascend_events_missing", effect="closed time is not seen")
            rows = {}
        if started_at > self._read_at:
            self._rows, self._read_at = rows, started_at
            self._fully_read_at = started_at if read_all else self._fully_read_at
        return list(rows.values())

    async def _read_all(self) -> dict[str, wire.Row]:
        return {row_key(row): row for row in await self._collections.rows(EVENTS, fields=ALL_FIELDS)}

    async def _read_changes(self) -> dict[str, wire.Row]:
        try:
            rows = await self._collections.rows(
                EVENTS, filter_text(("lastModified", ">=", self._changes_since())), fields=ALL_FIELDS
            )
        except Refused as refusal:
            if refusal.code != "400":
                raise
            self._can_filter_by_change = False
            return await self._read_all()
        return {row_key(row): row for row in rows}

    def _changes_since(self) -> str:
        """The instant from which to ask for changes. Empty if no row says when it was changed."""
        instants = [readable_instant(row, "lastModified") for row in self._rows.values()]
        # A row from the future would hide every change until then.
        latest = datetime.now(UTC) + MAX_CLOCK_ERROR
        changed_at = [instant for instant in instants if instant is not None and instant <= latest]
        return instant_text(max(changed_at) - CHANGES_OVERLAP) if changed_at else ""
