"""Webhook endpoints and what they are subscribed to."""

import secrets

from sandbox.nexhealth.calls import Call, Endpoint, identifier
from sandbox.nexhealth.envelope import Reply, invalid, missing, refusal
from sandbox.nexhealth.service import NexHealth
from sandbox.store import Row

EVENTS = {
    "Appointment": ("appointment_insertion", "appointment_created", "appointment_updated"),
    "Patient": ("patient_created", "patient_updated"),
    "SyncStatus": ("sync_status_read_change", "sync_status_write_change"),
}


def _endpoints(nex: NexHealth, call: Call) -> Reply:
    return Reply([row for row in nex.world.copy.all("endpoints") if call.params.equal(row, "active")])


def _create_endpoint(nex: NexHealth, call: Call) -> Reply:
    url = call.body.get("target_url")
    if not url:
        raise missing("target_url")
    if not str(url).startswith(("http://", "https://")):
        raise invalid("target_url")
    row = {"target_url": url, "secret_key": secrets.token_hex(20), "active": call.body.get("active", True)}
    return Reply(nex.world.add("endpoints", row), status=201)


def _change_endpoint(nex: NexHealth, call: Call) -> Reply:
    row = nex.world.get("endpoints", call.ids["id"])
    changes = {name: call.body[name] for name in ("target_url", "active") if name in call.body}
    return Reply(nex.world.change("endpoints", row, **changes))


def _delete_endpoint(nex: NexHealth, call: Call) -> Reply:
    nex.world.copy.delete("endpoints", str(nex.world.get("endpoints", call.ids["id"])["id"]))
    return Reply(None, status=204)


def _subscriptions(nex: NexHealth, call: Call) -> Reply:
    rows = [row for row in nex.world.copy.all("subscriptions") if row["webhook_endpoint_id"] == call.ids["id"]]
    mine = [row for row in rows if call.institution is None or row["institution_id"] == call.institution["id"]]
    return Reply([row for row in mine if call.params.equal(row, "resource_type", "event")])


def _subscribe(nex: NexHealth, call: Call) -> Reply:
    endpoint = nex.world.get("endpoints", call.ids["id"])
    resource, event = call.body.get("resource_type"), call.body.get("event")
    if event not in EVENTS.get(str(resource), ()):
        raise invalid("event")
    for row in nex.world.copy.all("subscriptions"):
        if (row["institution_id"], row["event"]) == (call.of["id"], event):
            raise refusal(400, "Subscription already exists")
    row = {
        "webhook_endpoint_id": endpoint["id"],
        "institution_id": call.of["id"],
        "resource_type": resource,
        "event": event,
        "active": call.body.get("active", True),
    }
    return Reply(nex.world.add("subscriptions", row), status=201)


def _change_subscription(nex: NexHealth, call: Call) -> Reply:
    row = nex.world.get("subscriptions", call.ids["subscription"])
    changes: Row = {}
    if "active" in call.body:
        changes["active"] = bool(call.body["active"])
    if "new_endpoint_id" in call.body:
        moved_to = nex.world.get("endpoints", identifier(call.body["new_endpoint_id"]))
        changes["webhook_endpoint_id"] = moved_to["id"]
    return Reply(nex.world.change("subscriptions", row, **changes))


def _delete_subscription(nex: NexHealth, call: Call) -> Reply:
    row = nex.world.get("subscriptions", call.ids["subscription"])
    nex.world.copy.delete("subscriptions", str(row["id"]))
    return Reply(None, status=204)


_ALL = "/webhook_endpoints/{id}/webhook_subscriptions"

ENDPOINTS = (
    Endpoint("GET", "/webhook_endpoints", _endpoints, takes=("active",)),
    Endpoint("POST", "/webhook_endpoints", _create_endpoint),
    Endpoint("PATCH", "/webhook_endpoints/{id}", _change_endpoint),
    Endpoint("DELETE", "/webhook_endpoints/{id}", _delete_endpoint),
    Endpoint("GET", _ALL, _subscriptions, takes=("subdomain", "resource_type", "event")),
    Endpoint("POST", _ALL, _subscribe, ("subdomain",)),
    Endpoint("PATCH", _ALL + "/{subscription}", _change_subscription, ("subdomain",)),
    Endpoint("DELETE", _ALL + "/{subscription}", _delete_subscription, takes=("subdomain",)),
)
