"""What seldom changes at a practice on Ascend: locations, providers, operatories and schedule templates."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from adapters.ascend import wire
from adapters.ascend.paging import ALL_FIELDS, CollectionReader
from adapters.errors import NotFound, Refused, Unreadable
from adapters.practice_system import Inactive, LocationRecord, OperatoryRecord, ProviderRecord, ReferenceData
from adapters.rows import MAX_NAME_LENGTH, Row, optional_text, required_id
from adapters.ttl_cache import StaleOkCache
from adapters.unreadable_rows import UnreadableRows

LOCATIONS = "/v1/locations"
TEMPLATES = "/v1/scheduletemplates"
PROVIDER_FIELDS = ("firstName", "lastName", "active")
"""Not all fields: a provider also carries every insurance carrier there is."""


class ReferenceReader:
    """Reads through a cache. A collection that cannot be read again stays as it was.

    One with an unreadable row is read again soon.
    """

    def __init__(self, collections: CollectionReader, max_age: timedelta, unreadable: UnreadableRows) -> None:
        self._collections = collections
        self._cache = StaleOkCache(max_age)
        self._unreadable = unreadable

    async def reference_data(self) -> ReferenceData:
        locations, providers, operatories = await asyncio.gather(
            self._read_identified(LOCATIONS, "location"),
            self._read_identified("/v1/providers", "provider", PROVIDER_FIELDS),
            self._read_identified("/v1/operatories", "operatory"),
        )
        return ReferenceData(
            locations={row_id: LocationRecord(zone=self._zone_name(row)) for row_id, row in locations.items()},
            providers={
                row_id: ProviderRecord(active=row.get("active") is not False) for row_id, row in providers.items()
            },
            operatories={
                row_id: OperatoryRecord(
                    active=row.get("active") is not False, location=wire.readable_link(row, "location")
                )
                for row_id, row in operatories.items()
            },
        )

    async def templates(self) -> list[Row]:
        """Weekly schedule templates; none if the account has no such collection.

        They matter only to services that are offered inside online-booking windows. Without templates, these
        services are not offered.
        """
        try:
            return await self._read(TEMPLATES)
        except NotFound:
            return []

    def record_unreadable_template(self, row: Row, error: Unreadable, location: str) -> None:
        self._cache.read_again_soon(TEMPLATES)
        self._unreadable.record("schedule template", row, error, location)

    async def inactive(self) -> Inactive:
        """Nothing if the account may not read providers and operatories: the check names that."""
        try:
            return (await self.reference_data()).inactive
        except Refused:
            return Inactive()

    async def location_count(self) -> int:
        return len(await self._read(LOCATIONS))

    async def zone(self, location: str) -> ZoneInfo:
        """The location's time zone. Raises Refused for an unknown location, and Unreadable."""
        row = (await self._read_identified(LOCATIONS, "location")).get(location)
        if row is None or not row.get("timeZone"):
            raise Refused(f"the practice system has no location {location}", code="unknown_location")
        try:
            return ZoneInfo(self._zone_name(row) or "")
        except (ValueError, OSError, ZoneInfoNotFoundError):
            self._cache.read_again_soon(LOCATIONS)
            raise Unreadable("timeZone") from None

    def _zone_name(self, row: Row) -> str | None:
        try:
            return optional_text(row, "timeZone", MAX_NAME_LENGTH)
        except Unreadable:
            self._cache.read_again_soon(LOCATIONS)
            return None

    async def _read_identified(self, path: str, kind: str, fields: Sequence[str] = ALL_FIELDS) -> dict[str, Row]:
        """The collection's rows by id, without those whose id is unreadable."""
        rows: dict[str, Row] = {}
        for row in await self._read(path, fields):
            try:
                rows[required_id(row)] = row
            except Unreadable as error:
                self._cache.read_again_soon(path)
                self._unreadable.record(kind, row, error, None)
        return rows

    async def _read(self, path: str, fields: Sequence[str] = ALL_FIELDS) -> list[Row]:
        rows = await self._cache.get(path, lambda: self._collections.rows(path, fields=fields))
        return cast(list[Row], rows)
