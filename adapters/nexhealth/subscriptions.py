"""Setting up webhooks at NexHealth, so that it delivers events about landings and changes to us.

At NexHealth, an *endpoint* is a URL with a secret, and a *subscription* sends one kind of event to one endpoint.
"""

from collections.abc import Collection

from adapters.errors import Misconfigured, OutcomeUnknown
from adapters.nexhealth.transport import Transport, rows_of
from adapters.nexhealth.webhooks import SUBSCRIPTIONS
from adapters.nexhealth.wire import Row
from adapters.rows import readable_id
from domain.base import Value

ENDPOINTS = "/webhook_endpoints"


class SubscriptionResult(Value):
    secret: str | None = None
    """Signs the deliveries; to be stored in NEXHEALTH_WEBHOOK_SECRET. ``None`` if NexHealth does not show it again."""
    added: tuple[str, ...] = ()
    """Events that this endpoint did not receive before."""


async def problems(transport: Transport, url: str) -> list[str]:
    """Why events may not reach this URL, in plain words."""
    our_endpoints = _endpoints_at(url, await _read_endpoints(transport))
    active_endpoints = [endpoint for endpoint in our_endpoints if endpoint.get("active")]
    if not active_endpoints:
        why = "has switched off" if our_endpoints else "does not know"
        return [f"NexHealth {why} {url} and sends us no events. Run `starter.py subscribe`"]
    rows = [row for endpoint in active_endpoints for row in await _read_subscriptions(transport, endpoint)]
    active_events = [row["event"] for row in rows if row.get("active")]
    missing_events = [event for _, event in SUBSCRIPTIONS if event not in active_events]
    texts = [f"{', '.join(missing_events)}: not sent to us. Run `starter.py subscribe`"] if missing_events else []
    if len(our_endpoints) > 1:
        texts.append("NexHealth signs with two secrets. Finish the change with `starter.py subscribe --rotate`")
    return texts


async def subscribe(transport: Transport, url: str) -> SubscriptionResult:
    """Have every event sent to this URL, and to no other: NexHealth sends each kind of event to one endpoint only.

    Idempotent: keeps what is set up already. NexHealth switches off an endpoint that fails for two days; this
    switches it on again.
    """
    endpoints = await _read_endpoints(transport)
    endpoint = next(iter(_endpoints_at(url, endpoints)), None)
    if endpoint is None:
        endpoint = await _create_endpoint(transport, url)
    elif not endpoint.get("active"):
        await transport.write("PATCH", f"{ENDPOINTS}/{endpoint['id']}", {"active": True}, scoped=False)
    added = await _subscribe_endpoint(transport, endpoints, endpoint)
    return SubscriptionResult(secret=_secret(endpoint), added=added)


async def rotate(transport: Transport, url: str, accepted_secrets: Collection[str]) -> SubscriptionResult:
    """Change the signing secret, in two calls, without losing a delivery.

    The first call creates a second endpoint at the same URL. The second call has every event sent to that endpoint,
    and deletes the old one.

    ``accepted_secrets``: the secrets that the receiver at the URL accepts now. The second call raises Misconfigured
    unless the new secret is known to be among them: the receiver would refuse every delivery.
    """
    endpoints = await _read_endpoints(transport)
    our_endpoints = _endpoints_at(url, endpoints)
    if not our_endpoints:
        raise Misconfigured("there is no secret to change yet: subscribe first", code="not_subscribed")
    if len(our_endpoints) == 1:
        return SubscriptionResult(secret=_secret(await _create_endpoint(transport, url)))
    *old_endpoints, new_endpoint = our_endpoints
    if len(set(accepted_secrets)) < 2 or _secret(new_endpoint) not in (None, *accepted_secrets):
        raise Misconfigured("NEXHEALTH_WEBHOOK_SECRET: set both secrets, the new one first: NEW,OLD", code="one_secret")
    added = await _subscribe_endpoint(transport, endpoints, new_endpoint)
    for endpoint in old_endpoints:
        if not await _read_subscriptions(transport, endpoint, all_institutions=True):  # others may use it, too
            await transport.write("DELETE", f"{ENDPOINTS}/{endpoint['id']}", None, scoped=False)
    return SubscriptionResult(added=added)


async def _subscribe_endpoint(transport: Transport, endpoints: list[Row], endpoint: Row) -> tuple[str, ...]:
    """Have every event sent to this endpoint. Returns the events that it did not receive before."""
    rows_by_event = {row["event"]: row for each in endpoints for row in await _read_subscriptions(transport, each)}
    added = []
    for resource, event in SUBSCRIPTIONS:
        row = rows_by_event.get(event)
        if row is None:
            body: Row = {"resource_type": resource, "event": event, "active": True}
            await transport.write("POST", _subscriptions_path(endpoint["id"]), body)
        elif row["webhook_endpoint_id"] != endpoint["id"]:
            path = f"{_subscriptions_path(row['webhook_endpoint_id'])}/{row['id']}"
            await transport.write("PATCH", path, {"new_endpoint_id": endpoint["id"], "active": True})
        elif not row.get("active"):
            await transport.write("PATCH", f"{_subscriptions_path(endpoint['id'])}/{row['id']}", {"active": True})
        else:
            continue
        added.append(event)
    return tuple(added)


def _endpoints_at(url: str, endpoints: list[Row]) -> list[Row]:
    """The endpoints with this URL, oldest first. There are several while one secret replaces another."""
    return sorted((row for row in endpoints if row.get("target_url") == url), key=lambda row: int(row["id"]))


async def _create_endpoint(transport: Transport, url: str) -> Row:
    endpoint = await transport.write("POST", ENDPOINTS, {"target_url": url, "active": True}, scoped=False)
    if not isinstance(endpoint, dict) or not _with_ids([endpoint], "id"):
        raise OutcomeUnknown(f"POST {ENDPOINTS}: an answer without the row that was written")
    return endpoint


def _secret(endpoint: Row) -> str | None:
    """A new endpoint always shows its secret. Whether it shows it again later, NexHealth's documents disagree."""
    return str(endpoint["secret_key"]) if endpoint.get("secret_key") else None


async def _read_endpoints(transport: Transport) -> list[Row]:
    return _with_ids(rows_of(await transport.read(ENDPOINTS, scoped=False), ENDPOINTS), "id")


async def _read_subscriptions(transport: Transport, endpoint: Row, *, all_institutions: bool = False) -> list[Row]:
    """The endpoint's subscriptions: those of our institution, or those of all."""
    path = _subscriptions_path(endpoint["id"])
    rows = rows_of(await transport.read(path, scoped=not all_institutions), ENDPOINTS)
    return [row for row in _with_ids(rows, "id", "webhook_endpoint_id") if isinstance(row.get("event"), str)]


def _with_ids(rows: list[Row], *fields: str) -> list[Row]:
    """The rows in which all these fields are numbers. We could do nothing with the others."""
    return [row for row in rows if all((readable_id(row.get(field)) or "").isdecimal() for field in fields)]


def _subscriptions_path(endpoint_id: int) -> str:
    return f"{ENDPOINTS}/{endpoint_id}/webhook_subscriptions"
