"""Asking NexHealth to tell us of landings and changes."""

from adapters.errors import OutcomeUnknown
from adapters.nexhealth.transport import Row, Transport, rows_of
from adapters.nexhealth.webhooks import SUBSCRIPTIONS
from domain.base import Value

ENDPOINTS = "/webhook_endpoints"


class Subscribed(Value):
    secret: str | None = None
    """Signs the deliveries, and is to be kept in NEXHEALTH_WEBHOOK_SECRET; ``None`` where it is not told again."""
    added: tuple[str, ...] = ()
    """Events that were not told before."""


async def missing(transport: Transport, url: str) -> list[str]:
    """Events that are not told at this address."""
    endpoints = await _endpoints(transport)
    told = [
        row["event"]
        for endpoint in endpoints
        if endpoint.get("target_url") == url and endpoint.get("active")
        for row in await _subscriptions(transport, endpoint)
        if row.get("active")
    ]
    return [event for _, event in SUBSCRIPTIONS if event not in told]


async def subscribe(transport: Transport, url: str) -> Subscribed:
    """Have every event told at this address, and nowhere else: an event is told at one address only.

    What is set up already stays. An address that failed for two days, and was therefore switched off by NexHealth,
    is switched on again.
    """
    endpoints = await _endpoints(transport)
    known = {row["event"]: row for endpoint in endpoints for row in await _subscriptions(transport, endpoint)}
    endpoint, secret = await _address(transport, endpoints, url)
    added = []
    for resource, event in SUBSCRIPTIONS:
        row = known.get(event)
        if row is None:
            body: Row = {"resource_type": resource, "event": event, "active": True}
            await transport.write("POST", _path(endpoint["id"]), body)
        elif row["webhook_endpoint_id"] != endpoint["id"]:
            path = f"{_path(row['webhook_endpoint_id'])}/{row['id']}"
            await transport.write("PATCH", path, {"new_endpoint_id": endpoint["id"], "active": True})
        elif not row.get("active"):
            await transport.write("PATCH", f"{_path(endpoint['id'])}/{row['id']}", {"active": True})
        else:
            continue
        added.append(event)
    return Subscribed(secret=secret, added=tuple(added))


async def _address(transport: Transport, endpoints: list[Row], url: str) -> tuple[Row, str | None]:
    """The endpoint at this address, switched on, and its secret where it is new."""
    for endpoint in endpoints:
        if endpoint.get("target_url") == url:
            if not endpoint.get("active"):
                await transport.write("PATCH", f"{ENDPOINTS}/{endpoint['id']}", {"active": True}, scoped=False)
            return endpoint, _secret(endpoint)
    made = await transport.write("POST", ENDPOINTS, {"target_url": url, "active": True}, scoped=False)
    if not isinstance(made, dict) or "id" not in made:
        raise OutcomeUnknown(f"POST {ENDPOINTS}: an answer without the row that was written")
    return made, _secret(made)


def _secret(endpoint: Row) -> str | None:
    """Always told for a new one; whether again later, the vendor's documents disagree."""
    return str(endpoint["secret_key"]) if endpoint.get("secret_key") else None


async def _endpoints(transport: Transport) -> list[Row]:
    return rows_of(await transport.read(ENDPOINTS, scoped=False), ENDPOINTS)


async def _subscriptions(transport: Transport, endpoint: Row) -> list[Row]:
    return rows_of(await transport.read(_path(endpoint["id"])), ENDPOINTS)


def _path(endpoint_id: int) -> str:
    return f"{ENDPOINTS}/{endpoint_id}/webhook_subscriptions"
