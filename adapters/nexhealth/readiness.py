"""What stands between a practice and its first booking through NexHealth."""

import re
from collections.abc import Mapping

from adapters.nexhealth import subscriptions
from adapters.nexhealth.config import NexHealthConfig
from adapters.nexhealth.office_status import SYNC_STATUS, places_of
from adapters.nexhealth.profiles import PROFILES, Profile
from adapters.nexhealth.transport import Row, Transport


async def problems(
    config: NexHealthConfig, profile: Profile, transport: Transport, places: Mapping[str, Row]
) -> list[str]:
    found = [text for location in config.locations if location in places for text in _flags(places[location])]
    found += _sync(config, profile, await transport.read(SYNC_STATUS) or [])
    if config.webhook_url:
        found += await subscriptions.problems(transport, config.webhook_url)
    return found


def _flags(place: Row) -> list[str]:
    """What NexHealth's own settings of a location say against booking there."""
    if place.get("insert_appt_client") is False:
        return [
            f"location {place['id']}: NexHealth keeps its appointments to itself (insert_appt_client is off); "
            "have NexHealth switch it on, or nothing reaches the practice"
        ]
    return []


def _sync(config: NexHealthConfig, profile: Profile, sources: list[Row]) -> list[str]:
    """What the office's connection says; a practice that was only seeded for trying has none."""
    found = []
    for source in sources:
        ours = [location for location in config.locations if location in places_of(source)]
        if not ours:
            continue
        names = ", ".join(ours)
        reported = re.sub(r"[^a-z0-9]", "", str((source.get("emr") or {}).get("name") or "").lower())
        others = {name for other in PROFILES.values() for name in other.reported_as}
        if reported in others - profile.reported_as:
            found.append(f'location {names}: runs {reported}, not system = "{profile.system}"')
        for way, what in (("read", "reads nothing from"), ("write", "writes nothing to")):
            if source.get(f"{way}_status") == "red":
                since = source.get(f"{way}_status_at") or "an unknown time"
                found.append(f"location {names}: NexHealth {what} the office since {since}; is its server running?")
    return found
