"""What seldom changes at a practice on Ascend: locations, providers, operatories and schedule templates."""

from collections.abc import Sequence
from datetime import timedelta
from typing import cast
from zoneinfo import ZoneInfo

from adapters.ascend import wire
from adapters.ascend.paging import ALL_FIELDS, CollectionReader
from adapters.errors import NotFound, Refused
from adapters.practice_system import LocationRecord, OperatoryRecord, ProviderRecord, ReferenceData
from adapters.ttl_cache import StaleOkCache

PROVIDER_FIELDS = ("firstName", "lastName", "active")
"""Not all fields: a provider also carries every insurance carrier there is."""


class ReferenceReader:
    """Reads through a cache. A collection that cannot be read again stays as it was."""

    def __init__(self, collections: CollectionReader, max_age: timedelta) -> None:
        self._collections = collections
        self._cache = StaleOkCache(max_age)

    async def reference_data(self) -> ReferenceData:
        locations = await self._read("/v1/locations")
        providers = await self._read("/v1/providers", PROVIDER_FIELDS)
        operatories = await self._read("/v1/operatories")
        return ReferenceData(
            locations={str(row["id"]): LocationRecord(zone=row.get("timeZone")) for row in locations},
            providers={str(row["id"]): ProviderRecord(active=row.get("active") is not False) for row in providers},
            operatories={
                str(row["id"]): OperatoryRecord(
                    active=row.get("active") is not False, location=wire.linked_id(row, "location")
                )
                for row in operatories
            },
        )

    async def templates(self) -> list[wire.Row]:
        """Weekly schedule templates; none if the account has no such collection.

        They matter only to services that are offered inside online-booking windows. Without templates, these
        services are not offered.
        """
        try:
            return await self._read("/v1/scheduletemplates")
        except NotFound:
            return []

    async def zone(self, location: str) -> ZoneInfo:
        """The location's time zone. Raises Refused for an unknown location."""
        for row in await self._read("/v1/locations"):
            if str(row["id"]) == location and row.get("timeZone"):
                return ZoneInfo(row["timeZone"])
        raise Refused(f"the practice system has no location {location}", code="unknown_location")

    async def _read(self, path: str, fields: Sequence[str] = ALL_FIELDS) -> list[wire.Row]:
        rows = await self._cache.get(path, lambda: self._collections.rows(path, fields=fields))
        return cast(list[wire.Row], rows)
