"""What a practice is made of: institutions, locations, providers, operatories, types, sync status, recalls."""

from sandbox.nexhealth.calls import Call, Endpoint
from sandbox.nexhealth.envelope import Reply, shown
from sandbox.nexhealth.paging import paged
from sandbox.nexhealth.parameters import PAGING
from sandbox.nexhealth.service import NexHealth
from sandbox.nexhealth.sync import sync_status
from sandbox.store import Row
from sandbox.times import instant


def _institutions(nex: NexHealth, call: Call) -> Reply:
    return Reply([_institution(nex, row) for row in nex.world.copy.all("institutions") if not row["_foreign"]])


def _institution_item(nex: NexHealth, call: Call) -> Reply:
    return Reply(_institution(nex, nex.world.get("institutions", call.ids["id"])))


def _institution(nex: NexHealth, row: Row) -> Row:
    basic = ("id", "name", "street_address", "street_address_2", "city", "state", "zip_code", "phone_number", "email")
    places = [place for place in nex.world.copy.all("locations") if place["institution_id"] == row["id"]]
    systems = sorted({nex.world.lines[place["id"]].system.name for place in places})
    shorter = [{name: place[name] or "" for name in basic} | {"inactive": place["inactive"]} for place in places]
    return {**shown(row), "emrs": systems, "locations": shorter}


def _locations(nex: NexHealth, call: Call) -> Reply:
    wanted = [call.institution] if call.institution else nex.world.copy.all("institutions")
    found = []
    for owner in wanted:
        places = [
            _location(nex, row)
            for row in nex.world.copy.all("locations")
            if row["institution_id"] == owner["id"] and call.params.equal(row, "inactive", "foreign_id")
        ]
        if not owner["_foreign"]:
            found.append({name: owner[name] for name in ("id", "name", "subdomain")} | {"locations": places})
    return Reply(found)


def _location_item(nex: NexHealth, call: Call) -> Reply:
    return Reply(_location(nex, nex.world.get("locations", call.ids["id"])))


def _location(nex: NexHealth, row: Row) -> Row:
    return {**shown(row), "last_sync_time": sync_status(nex.world, row)["read_status_at"]}


def _providers(nex: NexHealth, call: Call) -> Reply:
    place, params = call.params.get("location_id"), call.params
    rows = [
        _provider(nex, row, params.get("include[]", ["locations"]))
        for row in nex.world.copy.all("providers")
        if row["institution_id"] == call.of["id"]
        and (place is None or place in row["_locations"])
        and row["inactive"] == params.get("inactive", False)
        and params.get("requestable", bool(row["provider_requestables"])) == bool(row["provider_requestables"])
        and params.equal(row, "foreign_id")
        and params.among(row, id="ids[]")
        and params.since(row)
    ]
    return paged(rows, params)


def _provider_item(nex: NexHealth, call: Call) -> Reply:
    row = nex.world.get("providers", call.ids["id"], call.of)
    return Reply(shown(_provider(nex, row, call.params.get("include[]", ["locations"]))))


def _provider(nex: NexHealth, row: Row, include: list[str]) -> Row:
    found = dict(row)
    if "locations" in include:
        found["locations"] = [_location(nex, nex.world.get("locations", place)) for place in row["_locations"]]
    if "availabilities" in include:
        hours = nex.world.copy.all("working_hours")
        found["availabilities"] = [shown(hour) for hour in hours if hour["provider_id"] == row["id"]]
    return found


def _operatories(nex: NexHealth, call: Call) -> Reply:
    params = call.params
    rows = [
        row
        for row in nex.world.copy.all("operatories")
        if row["location_id"] == call.at["id"]
        and params.get("search_name", "").casefold() in row["name"].casefold()
        and params.equal(row, "foreign_id")
        and params.since(row)
    ]
    return paged(rows, params)


def _operatory_item(nex: NexHealth, call: Call) -> Reply:
    return Reply(shown(nex.world.get("operatories", call.ids["id"])))


def _types(nex: NexHealth, call: Call) -> Reply:
    rows = nex.world.copy.all("appointment_types")
    place = call.params.get("location_id")
    here = [row for row in rows if place is None or row["parent_id"] == place]
    return Reply([_type(nex, row, "descriptors" in call.params.get("include[]", [])) for row in here])


def _type(nex: NexHealth, row: Row, with_descriptors: bool) -> Row:
    more = {"descriptors": _descriptors_of(nex, row["_descriptors"])} if with_descriptors else {}
    return shown(row) | more


def _type_descriptors(nex: NexHealth, call: Call) -> Reply:
    return Reply(_descriptors_of(nex, nex.world.get("appointment_types", call.ids["id"])["_descriptors"]))


def _appointment_descriptors(nex: NexHealth, call: Call) -> Reply:
    return Reply(_descriptors_of(nex, nex.world.get("appointments", call.ids["id"], call.of).get("_descriptors", [])))


def _location_descriptors(nex: NexHealth, call: Call) -> Reply:
    place = nex.world.get("locations", call.ids["id"])
    rows = [row for row in nex.world.copy.all("descriptors") if row["location_id"] == place["id"]]
    return Reply(rows if nex.world.lines[place["id"]].system.descriptors else [])


def _descriptors_of(nex: NexHealth, ids: list[int]) -> list[Row]:
    return [row for row in nex.world.copy.all("descriptors") if row["id"] in ids]


def _sync_status(nex: NexHealth, call: Call) -> Reply:
    rows = [
        sync_status(nex.world, place)
        for place in nex.world.copy.all("locations")
        if place["id"] in nex.world.lines
        and (call.institution is None or place["institution_id"] == call.institution["id"])
        and place["id"] in call.params.get("location_ids[]", [place["id"]])
    ]
    return Reply([row for row in rows if call.params.equal(row, "read_status", "write_status")])


def _recalls(nex: NexHealth, call: Call) -> Reply:
    due = call.params.get("due_after")
    rows = [
        row
        for row in nex.world.copy.all("patient_recalls")
        if row["_location"] == call.at["id"]
        and call.params.equal(row, "recall_id", "patient_id", "foreign_id")
        and (due is None or instant(row["date_due"]) >= due)
        and call.params.since(row)
    ]
    return paged(rows, call.params)


def _recall_types(nex: NexHealth, call: Call) -> Reply:
    return Reply([row for row in nex.world.copy.all("recall_types") if row["location_id"] == call.at["id"]])


_ITEM = ("subdomain",)
_HERE = ("subdomain", "location_id")

ENDPOINTS = (
    Endpoint("GET", "/institutions", _institutions),
    Endpoint("GET", "/institutions/{id}", _institution_item),
    Endpoint("GET", "/locations", _locations, takes=("subdomain", "inactive", "foreign_id")),
    Endpoint("GET", "/locations/{id}", _location_item),
    Endpoint("GET", "/locations/{id}/appointment_descriptors", _location_descriptors, takes=("descriptor_type",)),
    Endpoint(
        "GET",
        "/providers",
        _providers,
        _ITEM,
        ("location_id", "requestable", "inactive", "foreign_id", "updated_since", "include[]", "ids[]", *PAGING),
    ),
    Endpoint("GET", "/providers/{id}", _provider_item, _ITEM, ("include[]",)),
    Endpoint(
        "GET",
        "/operatories",
        _operatories,
        _HERE,
        ("search_name", "foreign_id", "updated_since", "include[]", *PAGING),
    ),
    Endpoint("GET", "/operatories/{id}", _operatory_item, _ITEM, ("include[]",)),
    Endpoint("GET", "/appointment_types", _types, _ITEM, ("location_id", "include[]")),
    Endpoint("GET", "/appointment_types/{id}/appointment_descriptors", _type_descriptors, _ITEM, ("location_id",)),
    Endpoint("GET", "/appointments/{id}/appointment_descriptors", _appointment_descriptors, _ITEM, ()),
    Endpoint("GET", "/sync_status", _sync_status, (), ("subdomain", "read_status", "write_status", "location_ids[]")),
    Endpoint(
        "GET",
        "/patient_recalls",
        _recalls,
        _HERE,
        ("recall_id", "patient_id", "foreign_id", "updated_since", "due_after", *PAGING),
    ),
    Endpoint("GET", "/recall_types", _recall_types, _HERE, ("foreign_id", "updated_since")),
)
