"""Asking NexHealth to tell us of landings and changes."""

from typing import Any

from adapters.errors import OutcomeUnknown
from adapters.nexhealth.transport import Row, Transport, rows_of
from adapters.nexhealth.webhooks import SUBSCRIPTIONS
from domain.base import Value

ENDPOINTS = "/webhook_endpoints"


class Subscribed(Value):
    secret: str | None = None
    """Signs the deliveries; told only for an address that is new, and to be kept in NEXHEALTH_WEBHOOK_SECRET."""
    added: tuple[str, ...] = ()
    """Events that were not told before."""


async def missing(transport: Transport, url: str) -> list[str]:
    """Events that are not told at this address."""
    endpoint = await _endpoint(transport, url)
    if endpoint is None or not endpoint.get("active"):
        return [event for _, event in SUBSCRIPTIONS]
    told = {row["event"] for row in await _subscriptions(transport, endpoint) if row.get("active")}
    return [event for _, event in SUBSCRIPTIONS if event not in told]


async def subscribe(transport: Transport, url: str) -> Subscribed:
    """Have every event told at this address; what is set up already stays. An address that failed for two days,
    and was therefore switched off by NexHealth, is switched on again.
    """
    endpoint = await _endpoint(transport, url)
    secret = None
    if endpoint is None:
        endpoint = _row(await transport.write("POST", ENDPOINTS, {"target_url": url, "active": True}, scoped=False))
        secret = str(endpoint["secret_key"]) if endpoint.get("secret_key") else None
    elif not endpoint.get("active"):
        await transport.write("PATCH", f"{ENDPOINTS}/{endpoint['id']}", {"active": True}, scoped=False)
    path = f"{ENDPOINTS}/{endpoint['id']}/webhook_subscriptions"
    known = {row["event"]: row for row in await _subscriptions(transport, endpoint)}
    added = []
    for resource, event in SUBSCRIPTIONS:
        row = known.get(event)
        if row is None:
            await transport.write("POST", path, {"resource_type": resource, "event": event, "active": True})
        elif not row.get("active"):
            await transport.write("PATCH", f"{path}/{row['id']}", {"active": True})
        else:
            continue
        added.append(event)
    return Subscribed(secret=secret, added=tuple(added))


async def _endpoint(transport: Transport, url: str) -> Row | None:
    rows = rows_of(await transport.read(ENDPOINTS, scoped=False), ENDPOINTS)
    return next((row for row in rows if row.get("target_url") == url), None)


async def _subscriptions(transport: Transport, endpoint: Row) -> list[Row]:
    path = f"{ENDPOINTS}/{endpoint['id']}/webhook_subscriptions"
    return rows_of(await transport.read(path), path)


def _row(data: Any) -> Row:
    if not isinstance(data, dict) or "id" not in data:
        raise OutcomeUnknown("an answer without the row that was written")
    return data
