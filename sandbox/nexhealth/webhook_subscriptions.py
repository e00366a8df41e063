"""The endpoints that manage webhook endpoints and their subscriptions."""

import secrets

from sandbox.nexhealth.endpoint import ApiCall, Endpoint, parse_id
from sandbox.nexhealth.envelope import Reply, api_error, invalid_parameter, missing_parameter
from sandbox.nexhealth.service import NexHealth
from sandbox.store import Row

EVENTS = {
    "Appointment": ("appointment_insertion", "appointment_created", "appointment_updated"),
    "Patient": ("patient_created", "patient_updated"),
    "SyncStatus": ("sync_status_read_change", "sync_status_write_change"),
}
"""The events of each resource type."""


def _list_endpoints(nexhealth: NexHealth, call: ApiCall) -> Reply:
    return Reply([row for row in nexhealth.state.synced_copy.all("endpoints") if call.params.equal(row, "active")])


def _create_endpoint(nexhealth: NexHealth, call: ApiCall) -> Reply:
    url = call.body.get("target_url")
    if not url:
        raise missing_parameter("target_url")
    if not str(url).startswith(("http://", "https://")):
        raise invalid_parameter("target_url")
    row = {"target_url": url, "secret_key": secrets.token_hex(20), "active": call.body.get("active", True)}
    return Reply(nexhealth.state.add("endpoints", row), status=201)


def _update_endpoint(nexhealth: NexHealth, call: ApiCall) -> Reply:
    row = nexhealth.state.get("endpoints", call.path_ids["id"])
    changes = {name: call.body[name] for name in ("target_url", "active") if name in call.body}
    return Reply(nexhealth.state.update("endpoints", row, **changes))


def _delete_endpoint(nexhealth: NexHealth, call: ApiCall) -> Reply:
    row = nexhealth.state.get("endpoints", call.path_ids["id"])
    nexhealth.state.synced_copy.delete("endpoints", str(row["id"]))
    return Reply(None, status=204)


def _list_subscriptions(nexhealth: NexHealth, call: ApiCall) -> Reply:
    institution = call.optional_institution
    rows = [
        row
        for row in nexhealth.state.synced_copy.all("subscriptions")
        if row["webhook_endpoint_id"] == call.path_ids["id"]
        and (institution is None or row["institution_id"] == institution["id"])
    ]
    return Reply([row for row in rows if call.params.equal(row, "resource_type", "event")])


def _create_subscription(nexhealth: NexHealth, call: ApiCall) -> Reply:
    endpoint = nexhealth.state.get("endpoints", call.path_ids["id"])
    resource, event = call.body.get("resource_type"), call.body.get("event")
    if event not in EVENTS.get(str(resource), ()):
        raise invalid_parameter("event")
    for row in nexhealth.state.synced_copy.all("subscriptions"):
        if (row["institution_id"], row["event"]) == (call.institution["id"], event):
            raise api_error(400, "Subscription already exists")
    row = {
        "webhook_endpoint_id": endpoint["id"],
        "institution_id": call.institution["id"],
        "resource_type": resource,
        "event": event,
        "active": call.body.get("active", True),
    }
    return Reply(nexhealth.state.add("subscriptions", row), status=201)


def _update_subscription(nexhealth: NexHealth, call: ApiCall) -> Reply:
    row = nexhealth.state.get("subscriptions", call.path_ids["subscription"])
    changes: Row = {}
    if "active" in call.body:
        changes["active"] = bool(call.body["active"])
    if "new_endpoint_id" in call.body:
        new_endpoint = nexhealth.state.get("endpoints", parse_id(call.body["new_endpoint_id"]))
        changes["webhook_endpoint_id"] = new_endpoint["id"]
    return Reply(nexhealth.state.update("subscriptions", row, **changes))


def _delete_subscription(nexhealth: NexHealth, call: ApiCall) -> Reply:
    row = nexhealth.state.get("subscriptions", call.path_ids["subscription"])
    nexhealth.state.synced_copy.delete("subscriptions", str(row["id"]))
    return Reply(None, status=204)


_SUBSCRIPTIONS_PATH = "/webhook_endpoints/{id}/webhook_subscriptions"
_SUBSCRIPTION_PATH = _SUBSCRIPTIONS_PATH + "/{subscription}"

ENDPOINTS = (
    Endpoint("GET", "/webhook_endpoints", _list_endpoints, optional=("active",)),
    Endpoint("POST", "/webhook_endpoints", _create_endpoint),
    Endpoint("PATCH", "/webhook_endpoints/{id}", _update_endpoint),
    Endpoint("DELETE", "/webhook_endpoints/{id}", _delete_endpoint),
    Endpoint("GET", _SUBSCRIPTIONS_PATH, _list_subscriptions, optional=("subdomain", "resource_type", "event")),
    Endpoint("POST", _SUBSCRIPTIONS_PATH, _create_subscription, ("subdomain",)),
    Endpoint("PATCH", _SUBSCRIPTION_PATH, _update_subscription, ("subdomain",)),
    Endpoint("DELETE", _SUBSCRIPTION_PATH, _delete_subscription, optional=("subdomain",)),
)
