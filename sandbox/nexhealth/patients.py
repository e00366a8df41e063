"""Patients: search, and entering one, who stays NexHealth's own until a first visit takes them into the office."""

import re
from datetime import date
from typing import Any

from sandbox.nexhealth import records
from sandbox.nexhealth.calls import Call, Endpoint, identifier, required
from sandbox.nexhealth.envelope import Reply, invalid, not_found, refusal, shown
from sandbox.nexhealth.paging import paged
from sandbox.nexhealth.parameters import PAGING, Parameters
from sandbox.nexhealth.service import NexHealth
from sandbox.nexhealth.world import World
from sandbox.store import Row
from sandbox.times import instant

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PHONE = re.compile(r"[2-9]\d{2}[2-9]\d{6}")
_OLDEST = 130
_BIO_GIVEN = (
    *("home_phone_number", "cell_phone_number", "work_phone_number", "custom_contact_number", "street_address"),
    *("address_line_1", "address_line_2", "city", "state", "zip_code", "insurance_name", "weight", "height", "race"),
)


def _listing(nex: NexHealth, call: Call) -> Reply:
    params = call.params
    rows = [
        row
        for row in nex.world.copy.all("patients")
        if row["_location"] == call.at["id"]
        and _found_by_name(row, params)
        and _found_by_contact(row, params)
        and params.get("date_of_birth", row["bio"]["date_of_birth"]) in (row["bio"]["date_of_birth"], _born(row))
        and params.equal(row, "inactive", "foreign_id")
        and params.equal(row["bio"], "new_patient", "non_patient")
        and params.since(row)
    ]
    return paged(rows, params)


def _found_by_name(row: Row, params: Parameters) -> bool:
    return all(word in row["name"].casefold() for word in params.get("name", "").casefold().split())


def _found_by_contact(row: Row, params: Parameters) -> bool:
    """Email and phone are united, not intersected."""
    asked = [(params.get("email"), row["email"]), (params.get("phone_number"), row["bio"]["phone_number"])]
    given = [(wanted, has) for wanted, has in asked if wanted]
    return not given or any(wanted.casefold() == (has or "").casefold() for wanted, has in given)


def _born(row: Row) -> date:
    return date.fromisoformat(row["bio"]["date_of_birth"])


def _item(nex: NexHealth, call: Call) -> Reply:
    row = nex.world.get("patients", call.ids["id"], call.of)
    found = {**shown(row), "location_ids": [row["_location"]]}
    if "upcoming_appts" in call.params.get("include[]", []):
        found["upcoming_appts"] = _upcoming(nex.world, row)
    return Reply(found)


def _upcoming(world: World, patient: Row) -> list[Row]:
    names = ("id", "provider_id", "provider_name", "start_time", "end_time", "location_id", "confirmed")
    return [
        {name: row[name] for name in names}
        for row in world.copy.all("appointments")
        if row["patient_id"] == patient["id"]
        and not row["cancelled"]
        and instant(row["start_time"]) > world.clock.now()
    ]


def _create(nex: NexHealth, call: Call) -> Reply:
    given = call.part("patient")
    provider = call.part("provider")
    required(provider, ("provider_id",), "provider")
    required(given, ("first_name", "last_name", "email", "bio"), "patient")
    bio = _bio(given["bio"], nex.world.clock.now().date())
    if not _EMAIL.fullmatch(given["email"]):
        raise invalid("patient[email]")
    doctor = nex.world.copy.get("providers", str(identifier(provider["provider_id"])))
    if doctor is None or call.at["id"] not in doctor["_locations"]:
        raise not_found("Provider")
    names = given["first_name"].strip(), given["last_name"].strip()
    twin = _twin(nex.world, call.at, names, bio)
    if twin is not None and not call.body.get("return_existing_if_match", False):
        raise refusal(400, f"A patient with that information already exists - id={twin['id']}")
    row = twin or nex.world.add(
        "patients", records.patient(call.at, *names, given["email"], bio, provider_id=doctor["id"])
    )
    user = {**shown(row), "preferred_locale": None, "location_ids": [row["_location"]]}
    return Reply({"user": user}, status=200 if twin else 201)


def _bio(given: Any, today: date) -> Row:
    required(given, ("date_of_birth", "phone_number"), "patient[bio]")
    born = date.fromisoformat(str(given["date_of_birth"]))
    if born > today or today.year - born.year > _OLDEST:
        raise invalid("patient[bio][date_of_birth]")
    phone = str(given["phone_number"])[:10]
    if not _PHONE.fullmatch(phone):
        raise refusal(400, "User phone number is invalid")
    if given.get("gender", "Female") not in ("Male", "Female", "Other"):
        raise invalid("patient[bio][gender]")
    kept = {name: given[name] for name in _BIO_GIVEN if name in given}
    told = {"date_of_birth": born.isoformat(), "phone_number": phone, "gender": given.get("gender", "Female")}
    return {**kept, **told, "new_patient": True}


def _twin(world: World, place: Row, names: tuple[str, str], bio: Row) -> Row | None:
    """Same birthday, name and phone."""
    for row in world.copy.all("patients"):
        same = row["name"].casefold() == " ".join(names).casefold() and row["_location"] == place["id"]
        if same and all(row["bio"][name] == bio[name] for name in ("date_of_birth", "phone_number")):
            return row
    return None


ENDPOINTS = (
    Endpoint(
        "GET",
        "/patients",
        _listing,
        ("subdomain", "location_id"),
        (
            *("name", "email", "phone_number", "date_of_birth", "inactive", "new_patient", "non_patient"),
            *("foreign_id", "updated_since", "location_strict", *PAGING),
        ),
    ),
    Endpoint("GET", "/patients/{id}", _item, ("subdomain",), ("include[]",)),
    Endpoint("POST", "/patients", _create, ("subdomain", "location_id")),
)
