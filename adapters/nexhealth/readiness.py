"""What a practice must fix before its first booking through NexHealth."""

import re
from collections.abc import Mapping

from adapters.nexhealth import subscriptions
from adapters.nexhealth.config import NexHealthConfig
from adapters.nexhealth.office_status import SYNC_STATUS, location_ids
from adapters.nexhealth.profiles import PROFILES, Profile
from adapters.nexhealth.transport import Transport, rows_of
from adapters.nexhealth.wire import Row
from adapters.rows import as_row, readable_id, readable_instant


async def problems(
    config: NexHealthConfig, profile: Profile, transport: Transport, locations: Mapping[str, Row]
) -> list[str]:
    """Problems in plain words. ``locations``: NexHealth's rows by location id."""
    texts = [
        text
        for location in config.locations
        if location in locations
        for text in _setting_problems(locations[location])
    ]
    texts += _sync_problems(config, profile, rows_of(await transport.read(SYNC_STATUS) or [], SYNC_STATUS))
    if config.webhook_url:
        texts += await subscriptions.problems(transport, config.webhook_url)
    return texts


def _setting_problems(location: Row) -> list[str]:
    """Problems with NexHealth's own settings of a location.

    While ``insert_appt_client`` is off, NexHealth never writes its appointments to the office system.
    """
    if location.get("insert_appt_client") is False:
        return [
            f"location {readable_id(location.get('id'))}: NexHealth does not write its appointments to the office "
            "(insert_appt_client is off). Ask NexHealth to switch it on"
        ]
    return []


def _sync_problems(config: NexHealthConfig, profile: Profile, sources: list[Row]) -> list[str]:
    """Problems with the connections to the offices. A demo practice has none."""
    texts = []
    for source in sources:
        our_locations = [location for location in config.locations if location in location_ids(source)]
        if not our_locations:
            continue
        names = ", ".join(our_locations)
        reported_name = re.sub(r"[^a-z0-9]", "", str(as_row(source.get("emr")).get("name") or "")[:200].lower())
        known_names = {name for other in PROFILES.values() for name in other.reported_names}
        if reported_name in known_names - profile.reported_names:
            texts.append(f'location {names}: runs {reported_name}, not system = "{profile.system}"')
        for direction, effect in (("read", "reads nothing from"), ("write", "writes nothing to")):
            if source.get(f"{direction}_status") == "red":
                since = readable_instant(source, f"{direction}_status_at") or "an unknown time"
                texts.append(f"location {names}: NexHealth {effect} the office since {since}. Is its server running?")
    return texts
