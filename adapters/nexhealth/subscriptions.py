"""Asking NexHealth to tell us of landings and changes."""

from collections.abc import Collection

from adapters.errors import Misconfigured, OutcomeUnknown
from adapters.nexhealth.transport import Row, Transport, rows_of
from adapters.nexhealth.webhooks import SUBSCRIPTIONS
from domain.base import Value

ENDPOINTS = "/webhook_endpoints"


class Subscribed(Value):
    secret: str | None = None
    """Signs the deliveries, and is to be kept in NEXHEALTH_WEBHOOK_SECRET; ``None`` where it is not told again."""
    added: tuple[str, ...] = ()
    """Events that were not told before, or not by this endpoint."""


async def problems(transport: Transport, url: str) -> list[str]:
    """Why we may not be told at this address, in plain words."""
    ours = _at(url, await _endpoints(transport))
    active = [endpoint for endpoint in ours if endpoint.get("active")]
    if not active:
        why = "has switched off" if ours else "does not know"
        return [f"NexHealth {why} {url} and tells us nothing; run `starter.py subscribe`"]
    rows = [row for endpoint in active for row in await _subscriptions(transport, endpoint)]
    told = [row["event"] for row in rows if row.get("active")]
    untold = [event for _, event in SUBSCRIPTIONS if event not in told]
    found = [f"{', '.join(untold)}: not told to us; run `starter.py subscribe`"] if untold else []
    if len(ours) > 1:
        found.append("NexHealth signs with two secrets: finish the change with `starter.py subscribe --rotate`")
    return found


async def subscribe(transport: Transport, url: str) -> Subscribed:
    """Have every event told at this address, and nowhere else: an event is told at one address only.

    What is set up already stays. An address that failed for two days, and was therefore switched off by NexHealth,
    is switched on again.
    """
    endpoints = await _endpoints(transport)
    endpoint = next(iter(_at(url, endpoints)), None)
    if endpoint is None:
        endpoint = await _new_endpoint(transport, url)
    elif not endpoint.get("active"):
        await transport.write("PATCH", f"{ENDPOINTS}/{endpoint['id']}", {"active": True}, scoped=False)
    return Subscribed(secret=_secret(endpoint), added=await _have_told(transport, endpoints, endpoint))


async def rotate(transport: Transport, url: str, accepted: Collection[str]) -> Subscribed:
    """Change the secret that signs: first a second endpoint at the same address; next time, all is told by that one.

    ``accepted``: the secrets that the receiver at the address takes. Raises Misconfigured where the new one is not
    known to be among them: what is told would be refused.
    """
    endpoints = await _endpoints(transport)
    ours = _at(url, endpoints)
    if not ours:
        raise Misconfigured("there is no secret to change yet: subscribe first", code="not_subscribed")
    if len(ours) == 1:
        return Subscribed(secret=_secret(await _new_endpoint(transport, url)))
    *old, new = ours
    if len(set(accepted)) < 2 or _secret(new) not in (None, *accepted):
        raise Misconfigured("NEXHEALTH_WEBHOOK_SECRET: give both secrets, separated by a comma", code="one_secret")
    added = await _have_told(transport, endpoints, new)
    for endpoint in old:
        if not await _subscriptions(transport, endpoint, of_all=True):  # others may be told there, too
            await transport.write("DELETE", f"{ENDPOINTS}/{endpoint['id']}", None, scoped=False)
    return Subscribed(added=added)


async def _have_told(transport: Transport, endpoints: list[Row], endpoint: Row) -> tuple[str, ...]:
    """Every event, by this endpoint; which it did not tell before."""
    known = {row["event"]: row for each in endpoints for row in await _subscriptions(transport, each)}
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
    return tuple(added)


def _at(url: str, endpoints: list[Row]) -> list[Row]:
    """Those at this address, oldest first; several while one secret replaces another."""
    return sorted((row for row in endpoints if row.get("target_url") == url), key=lambda row: int(row["id"]))


async def _new_endpoint(transport: Transport, url: str) -> Row:
    made = await transport.write("POST", ENDPOINTS, {"target_url": url, "active": True}, scoped=False)
    if not isinstance(made, dict) or "id" not in made:
        raise OutcomeUnknown(f"POST {ENDPOINTS}: an answer without the row that was written")
    return made


def _secret(endpoint: Row) -> str | None:
    """Always told for a new one; whether again later, the vendor's documents disagree."""
    return str(endpoint["secret_key"]) if endpoint.get("secret_key") else None


async def _endpoints(transport: Transport) -> list[Row]:
    return rows_of(await transport.read(ENDPOINTS, scoped=False), ENDPOINTS)


async def _subscriptions(transport: Transport, endpoint: Row, *, of_all: bool = False) -> list[Row]:
    return rows_of(await transport.read(_path(endpoint["id"]), scoped=not of_all), ENDPOINTS)


def _path(endpoint_id: int) -> str:
    return f"{ENDPOINTS}/{endpoint_id}/webhook_subscriptions"
