"""The endpoints that describe a practice: its institution, locations, providers, operatories, appointment types, sync
status and recalls.
"""

from sandbox.nexhealth.endpoint import ApiCall, Endpoint
from sandbox.nexhealth.envelope import Reply, public_fields
from sandbox.nexhealth.paging import page_reply
from sandbox.nexhealth.parameters import PAGING
from sandbox.nexhealth.service import NexHealth
from sandbox.nexhealth.synchronizer import sync_status
from sandbox.store import Row
from sandbox.timestamps import parse_timestamp


def _list_institutions(nexhealth: NexHealth, call: ApiCall) -> Reply:
    rows = nexhealth.state.synced_copy.all("institutions")
    return Reply([_institution_object(nexhealth, row) for row in rows if not row["_foreign"]])


def _read_institution(nexhealth: NexHealth, call: ApiCall) -> Reply:
    return Reply(_institution_object(nexhealth, nexhealth.state.get("institutions", call.path_ids["id"])))


def _institution_object(nexhealth: NexHealth, row: Row) -> Row:
    names = ("id", "name", "street_address", "street_address_2", "city", "state", "zip_code", "phone_number", "email")
    locations = [
        location for location in nexhealth.state.synced_copy.all("locations") if location["institution_id"] == row["id"]
    ]
    systems = sorted({nexhealth.state.links[location["id"]].system.name for location in locations})
    short_locations = [
        {name: location[name] or "" for name in names} | {"inactive": location["inactive"]} for location in locations
    ]
    return {**public_fields(row), "emrs": systems, "locations": short_locations}


def _list_locations(nexhealth: NexHealth, call: ApiCall) -> Reply:
    institutions = nexhealth.state.synced_copy.all("institutions")
    if call.optional_institution:
        institutions = [call.optional_institution]
    results = []
    for institution in institutions:
        locations = [
            _location_object(nexhealth, row)
            for row in nexhealth.state.synced_copy.all("locations")
            if row["institution_id"] == institution["id"] and call.params.equal(row, "inactive", "foreign_id")
        ]
        if not institution["_foreign"]:
            results.append({name: institution[name] for name in ("id", "name", "subdomain")} | {"locations": locations})
    return Reply(results)


def _read_location(nexhealth: NexHealth, call: ApiCall) -> Reply:
    return Reply(_location_object(nexhealth, nexhealth.state.get("locations", call.path_ids["id"])))


def _location_object(nexhealth: NexHealth, row: Row) -> Row:
    return {**public_fields(row), "last_sync_time": sync_status(nexhealth.state, row)["read_status_at"]}


def _list_providers(nexhealth: NexHealth, call: ApiCall) -> Reply:
    params = call.params
    location_id = params.get("location_id")
    rows = [
        _provider_object(nexhealth, row, params.get("include[]", ["locations"]))
        for row in nexhealth.state.synced_copy.all("providers")
        if row["institution_id"] == call.institution["id"]
        and (location_id is None or location_id in row["_locations"])
        and row["inactive"] == params.get("inactive", False)
        and params.get("requestable", bool(row["provider_requestables"])) == bool(row["provider_requestables"])
        and params.equal(row, "foreign_id")
        and params.contain(row, id="ids[]")
        and params.is_updated_since(row)
    ]
    return page_reply(rows, params)


def _read_provider(nexhealth: NexHealth, call: ApiCall) -> Reply:
    row = nexhealth.state.get("providers", call.path_ids["id"], call.institution)
    return Reply(public_fields(_provider_object(nexhealth, row, call.params.get("include[]", ["locations"]))))


def _provider_object(nexhealth: NexHealth, row: Row, include: list[str]) -> Row:
    provider = dict(row)
    if "locations" in include:
        locations = [nexhealth.state.get("locations", location_id) for location_id in row["_locations"]]
        provider["locations"] = [_location_object(nexhealth, location) for location in locations]
    if "availabilities" in include:
        hours = nexhealth.state.synced_copy.all("working_hours")
        provider["availabilities"] = [public_fields(hour) for hour in hours if hour["provider_id"] == row["id"]]
    return provider


def _list_operatories(nexhealth: NexHealth, call: ApiCall) -> Reply:
    params = call.params
    rows = [
        row
        for row in nexhealth.state.synced_copy.all("operatories")
        if row["location_id"] == call.location["id"]
        and params.get("search_name", "").casefold() in row["name"].casefold()
        and params.equal(row, "foreign_id")
        and params.is_updated_since(row)
    ]
    return page_reply(rows, params)


def _read_operatory(nexhealth: NexHealth, call: ApiCall) -> Reply:
    return Reply(public_fields(nexhealth.state.get("operatories", call.path_ids["id"])))


def _list_types(nexhealth: NexHealth, call: ApiCall) -> Reply:
    location_id = call.params.get("location_id")
    rows = [
        row
        for row in nexhealth.state.synced_copy.all("appointment_types")
        if location_id is None or row["parent_id"] == location_id
    ]
    with_descriptors = "descriptors" in call.params.get("include[]", [])
    return Reply([_type_object(nexhealth, row, with_descriptors) for row in rows])


def _type_object(nexhealth: NexHealth, row: Row, with_descriptors: bool) -> Row:
    included = {"descriptors": _descriptors(nexhealth, row["_descriptors"])} if with_descriptors else {}
    return public_fields(row) | included


def _list_type_descriptors(nexhealth: NexHealth, call: ApiCall) -> Reply:
    row = nexhealth.state.get("appointment_types", call.path_ids["id"])
    return Reply(_descriptors(nexhealth, row["_descriptors"]))


def _list_appointment_descriptors(nexhealth: NexHealth, call: ApiCall) -> Reply:
    row = nexhealth.state.get("appointments", call.path_ids["id"], call.institution)
    return Reply(_descriptors(nexhealth, row.get("_descriptors", [])))


def _list_location_descriptors(nexhealth: NexHealth, call: ApiCall) -> Reply:
    location = nexhealth.state.get("locations", call.path_ids["id"])
    rows = [row for row in nexhealth.state.synced_copy.all("descriptors") if row["location_id"] == location["id"]]
    return Reply(rows if nexhealth.state.links[location["id"]].system.descriptors else [])


def _descriptors(nexhealth: NexHealth, ids: list[int]) -> list[Row]:
    return [row for row in nexhealth.state.synced_copy.all("descriptors") if row["id"] in ids]


def _list_sync_statuses(nexhealth: NexHealth, call: ApiCall) -> Reply:
    institution = call.optional_institution
    rows = [
        sync_status(nexhealth.state, location)
        for location in nexhealth.state.synced_copy.all("locations")
        if location["id"] in nexhealth.state.links
        and (institution is None or location["institution_id"] == institution["id"])
        and location["id"] in call.params.get("location_ids[]", [location["id"]])
    ]
    return Reply([row for row in rows if call.params.equal(row, "read_status", "write_status")])


def _list_recalls(nexhealth: NexHealth, call: ApiCall) -> Reply:
    due_after = call.params.get("due_after")
    rows = [
        row
        for row in nexhealth.state.synced_copy.all("patient_recalls")
        if row["_location"] == call.location["id"]
        and call.params.equal(row, "recall_id", "patient_id", "foreign_id")
        and (due_after is None or parse_timestamp(row["date_due"]) >= due_after)
        and call.params.is_updated_since(row)
    ]
    return page_reply(rows, call.params)


def _list_recall_types(nexhealth: NexHealth, call: ApiCall) -> Reply:
    rows = nexhealth.state.synced_copy.all("recall_types")
    return Reply([row for row in rows if row["location_id"] == call.location["id"]])


_OF_INSTITUTION = ("subdomain",)
_OF_LOCATION = ("subdomain", "location_id")

ENDPOINTS = (
    Endpoint("GET", "/institutions", _list_institutions),
    Endpoint("GET", "/institutions/{id}", _read_institution),
    Endpoint("GET", "/locations", _list_locations, optional=("subdomain", "inactive", "foreign_id")),
    Endpoint("GET", "/locations/{id}", _read_location),
    Endpoint(
        "GET", "/locations/{id}/appointment_descriptors", _list_location_descriptors, optional=("descriptor_type",)
    ),
    Endpoint(
        "GET",
        "/providers",
        _list_providers,
        _OF_INSTITUTION,
        ("location_id", "requestable", "inactive", "foreign_id", "updated_since", "include[]", "ids[]", *PAGING),
    ),
    Endpoint("GET", "/providers/{id}", _read_provider, _OF_INSTITUTION, ("include[]",)),
    Endpoint(
        "GET",
        "/operatories",
        _list_operatories,
        _OF_LOCATION,
        ("search_name", "foreign_id", "updated_since", "include[]", *PAGING),
    ),
    Endpoint("GET", "/operatories/{id}", _read_operatory, _OF_INSTITUTION, ("include[]",)),
    Endpoint("GET", "/appointment_types", _list_types, _OF_INSTITUTION, ("location_id", "include[]")),
    Endpoint(
        "GET",
        "/appointment_types/{id}/appointment_descriptors",
        _list_type_descriptors,
        _OF_INSTITUTION,
        ("location_id",),
    ),
    Endpoint("GET", "/appointments/{id}/appointment_descriptors", _list_appointment_descriptors, _OF_INSTITUTION, ()),
    Endpoint(
        "GET", "/sync_status", _list_sync_statuses, (), ("subdomain", "read_status", "write_status", "location_ids[]")
    ),
    Endpoint(
        "GET",
        "/patient_recalls",
        _list_recalls,
        _OF_LOCATION,
        ("recall_id", "patient_id", "foreign_id", "updated_since", "due_after", *PAGING),
    ),
    Endpoint("GET", "/recall_types", _list_recall_types, _OF_LOCATION, ("foreign_id", "updated_since")),
)
