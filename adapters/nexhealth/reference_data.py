"""What seldom changes at a practice behind NexHealth: locations, providers, operatories and working hours."""

import asyncio
from collections.abc import Iterable
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from adapters.errors import Refused, Unreadable
from adapters.nexhealth import wire, working_hours
from adapters.nexhealth.config import NexHealthConfig
from adapters.nexhealth.transport import Params, Transport, rows_of
from adapters.nexhealth.wire import Row
from adapters.practice_system import Inactive, LocationRecord, OperatoryRecord, ProviderRecord, ReferenceData
from adapters.rows import MAX_NAME_LENGTH, as_row, optional_text, readable_id, required_id
from adapters.ttl_cache import StaleOkCache
from adapters.unreadable_rows import UnreadableRows
from domain.calendar import Window
from domain.interval import Interval

LOCATIONS = "/locations"


class ReferenceReader:
    """Reads through a cache. A collection that cannot be read again stays as it was.

    One with an unreadable row is read again soon.
    """

    def __init__(self, transport: Transport, config: NexHealthConfig, unreadable: UnreadableRows) -> None:
        self._transport = transport
        self._unreadable = unreadable
        self._our_locations = config.locations
        self._cache = StaleOkCache(config.reference_data_max_age)

    async def reference_data(self) -> ReferenceData:
        locations = await self.locations()
        operatories: dict[str, OperatoryRecord] = {}
        for location in self._our_locations:
            operatories |= await self._operatory_records(location)
        return ReferenceData(
            locations={
                location: LocationRecord(zone=self._zone_name(row))
                for location, row in locations.items()
                if not row.get("inactive")
            },
            providers={
                **await self._provider_records(are_active=True),
                **await self._provider_records(are_active=False),
            },
            operatories=operatories,
        )

    async def inactive(self, location: str) -> Inactive:
        """Nothing if the account may not read providers and operatories: the check names that."""
        try:
            providers, operatories = await asyncio.gather(
                self._provider_records(are_active=False), self._operatory_records(location)
            )
        except Refused:
            return Inactive()
        return ReferenceData(locations={}, providers=providers, operatories=operatories).inactive

    async def locations(self) -> dict[str, Row]:
        """NexHealth's rows by location id. It nests them in rows of institutions."""

        async def read() -> list[Row]:
            institutions = rows_of(await self._transport.read(LOCATIONS), LOCATIONS)
            return [as_row(entry) for institution in institutions for entry in _locations_of(institution)]

        return self._identified(LOCATIONS, await self._cache.get(LOCATIONS, read), "location", None)

    async def location(self, location: str) -> Row:
        """Raises Refused for an unknown location."""
        try:
            return (await self.locations())[location]
        except KeyError:
            raise Refused("the practice system has no such location", code="unknown_location") from None

    async def windows(self, location: str, span: Interval) -> tuple[Window, ...]:
        """The windows that the location's working hours open within a span."""
        key = f"hours {location}"
        hours: list[Row] = await self._cache.get(key, lambda: self._working_hours(location))
        self._record_unreadable_hours(key, hours, location)
        needs_operatories = any(row.get("operatory_id") is None for row in hours)
        operatories = list(await self._operatories(location)) if needs_operatories else []
        return tuple(working_hours.windows(hours, span, await self._zone(location), operatories))

    async def _zone(self, location: str) -> ZoneInfo:
        try:
            return ZoneInfo(self._zone_name(await self.location(location)) or "")
        except (ValueError, OSError, ZoneInfoNotFoundError):
            self._cache.read_again_soon(LOCATIONS)
            raise Unreadable("tz") from None

    def _zone_name(self, row: Row) -> str | None:
        try:
            return optional_text(row, "tz", MAX_NAME_LENGTH)
        except Unreadable:
            self._cache.read_again_soon(LOCATIONS)
            return None

    def _record_unreadable_hours(self, key: str, hours: list[Row], location: str) -> None:
        """They open nothing."""
        for row in hours:
            try:
                working_hours.check(row)
            except Unreadable as error:
                self._cache.read_again_soon(key)
                self._unreadable.record("working hours", row, error, location)

    def _identified(self, key: str, rows: Iterable[Row], kind: str, location: str | None) -> dict[str, Row]:
        """The rows under a key of the cache by id, without those whose id is unreadable."""
        rows_by_id: dict[str, Row] = {}
        for row in rows:
            try:
                rows_by_id[required_id(row)] = row
            except Unreadable as error:
                self._cache.read_again_soon(key)
                self._unreadable.record(kind, row, error, location)
        return rows_by_id

    async def _working_hours(self, location: str) -> list[Row]:
        params = [*at_location(location), ("source", "synced"), ("active", "true"), ("ignore_past_dates", "true")]
        return await self._transport.rows("/working_hours", [*params, ("include[]", "appointment_types")])

    async def _provider_records(self, *, are_active: bool) -> dict[str, ProviderRecord]:
        """NexHealth lists the active ones or the inactive ones, never both."""
        key, params = f"providers {are_active}", [("inactive", "false" if are_active else "true")]
        rows = await self._cache.get(key, lambda: self._transport.rows("/providers", params))
        return {
            row_id: ProviderRecord(active=not row.get("inactive"))
            for row_id, row in self._identified(key, rows, "provider", None).items()
        }

    async def _operatory_records(self, location: str) -> dict[str, OperatoryRecord]:
        return {
            row_id: OperatoryRecord(active=row.get("active") is not False, location=readable_id(row.get("location_id")))
            for row_id, row in (await self._operatories(location)).items()
        }

    async def _operatories(self, location: str) -> dict[str, Row]:
        async def read() -> list[Row]:
            return await self._transport.rows("/operatories", at_location(location))

        key = f"operatories {location}"
        return self._identified(key, await self._cache.get(key, read), "operatory", location)


def at_location(location: str) -> Params:
    """Query parameters for one location. Raises Misconfigured if its id is not a number."""
    return [("location_id", str(wire.numeric_id(location, "location")))]


def _locations_of(institution: Row) -> list[Any]:
    """The locations nested in an institution. A row without any is a location itself."""
    nested = institution.get("locations")
    return nested if isinstance(nested, list) and nested else [institution]
