"""What seldom changes at a practice behind NexHealth: locations, providers, operatories and working hours."""

from typing import cast
from zoneinfo import ZoneInfo

from adapters.errors import Refused
from adapters.nexhealth import wire, working_hours
from adapters.nexhealth.config import NexHealthConfig
from adapters.nexhealth.transport import Params, Transport
from adapters.nexhealth.wire import Row
from adapters.practice_system import LocationRecord, OperatoryRecord, ProviderRecord, ReferenceData
from adapters.ttl_cache import StaleOkCache
from domain.calendar import Window
from domain.interval import Interval


class ReferenceReader:
    """Reads through a cache. A collection that cannot be read again stays as it was."""

    def __init__(self, transport: Transport, config: NexHealthConfig) -> None:
        self._transport = transport
        self._our_locations = config.locations
        self._cache = StaleOkCache(config.reference_data_max_age)

    async def reference_data(self) -> ReferenceData:
        locations = await self.locations()
        operatories = [row for location in self._our_locations for row in await self._operatories(location)]
        providers = await self._cache.get("/providers", lambda: self._transport.rows("/providers"))
        return ReferenceData(
            locations={
                location: LocationRecord(zone=row.get("tz"))
                for location, row in locations.items()
                if not row.get("inactive")
            },
            providers={str(row["id"]): ProviderRecord(active=not row.get("inactive")) for row in providers},
            operatories={
                str(row["id"]): OperatoryRecord(
                    active=row.get("active") is not False, location=str(row.get("location_id"))
                )
                for row in operatories
            },
        )

    async def locations(self) -> dict[str, Row]:
        """NexHealth's rows by location id. It nests them in rows of institutions."""

        async def read() -> dict[str, Row]:
            institutions = await self._transport.read("/locations")
            return {
                str(row["id"]): row
                for institution in institutions
                for row in institution.get("locations") or [institution]
            }

        return cast(dict[str, Row], await self._cache.get("/locations", read))

    async def location(self, location: str) -> Row:
        """Raises Refused for an unknown location."""
        try:
            return (await self.locations())[location]
        except KeyError:
            raise Refused("the practice system has no such location", code="unknown_location") from None

    async def windows(self, location: str, span: Interval) -> tuple[Window, ...]:
        """The windows that the location's working hours open within a span."""
        hours: list[Row] = await self._cache.get(f"hours {location}", lambda: self._working_hours(location))
        needs_operatories = any(row.get("operatory_id") is None for row in hours)
        operatories = await self._operatories(location) if needs_operatories else []
        zone = ZoneInfo(str((await self.location(location)).get("tz")))
        return tuple(working_hours.windows(hours, span, zone, [str(row["id"]) for row in operatories]))

    async def _working_hours(self, location: str) -> list[Row]:
        params = [*at_location(location), ("source", "synced"), ("active", "true"), ("ignore_past_dates", "true")]
        return await self._transport.rows("/working_hours", [*params, ("include[]", "appointment_types")])

    async def _operatories(self, location: str) -> list[Row]:
        async def read() -> list[Row]:
            return await self._transport.rows("/operatories", at_location(location))

        return cast(list[Row], await self._cache.get(f"operatories {location}", read))


def at_location(location: str) -> Params:
    """Query parameters for one location. Raises Misconfigured if its id is not a number."""
    return [("location_id", str(wire.numeric_id(location, "location")))]
