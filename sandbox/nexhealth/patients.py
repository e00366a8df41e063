"""The patient endpoints. A new patient exists only at NexHealth until a first appointment brings it to the office."""

import re
from datetime import date
from typing import Any

from sandbox.nexhealth import records
from sandbox.nexhealth.endpoint import ApiCall, Endpoint, check_required, parse_id
from sandbox.nexhealth.envelope import Reply, api_error, invalid_parameter, not_found, public_fields
from sandbox.nexhealth.paging import page_reply
from sandbox.nexhealth.parameters import PAGING, Parameters
from sandbox.nexhealth.service import NexHealth
from sandbox.nexhealth.state import NexHealthState
from sandbox.store import Row
from sandbox.timestamps import parse_timestamp

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PHONE = re.compile(r"[2-9]\d{2}[2-9]\d{6}")
_MAX_AGE_YEARS = 130
_OPTIONAL_BIO_FIELDS = (
    *("home_phone_number", "cell_phone_number", "work_phone_number", "custom_contact_number", "street_address"),
    *("address_line_1", "address_line_2", "city", "state", "zip_code", "insurance_name", "weight", "height", "race"),
)


def _list(nexhealth: NexHealth, call: ApiCall) -> Reply:
    params = call.params
    rows = [
        row
        for row in nexhealth.state.synced_copy.all("patients")
        if row["_location"] == call.location["id"]
        and _matches_name(row, params)
        and _matches_contact(row, params)
        and _matches_date_of_birth(row, params)
        and params.equal(row, "inactive", "foreign_id")
        and params.equal(row["bio"], "new_patient", "non_patient")
        and params.is_updated_since(row)
    ]
    return page_reply(rows, params)


def _matches_name(row: Row, params: Parameters) -> bool:
    """Whether the name contains every word of the search, also inside a word."""
    return all(word in row["name"].casefold() for word in params.get("name", "").casefold().split())


def _matches_contact(row: Row, params: Parameters) -> bool:
    """If the search has an email and a phone number, one of the two is enough."""
    pairs = [(params.get("email"), row["email"]), (params.get("phone_number"), row["bio"]["phone_number"])]
    searched = [(expected, actual) for expected, actual in pairs if expected]
    return not searched or any(expected.casefold() == (actual or "").casefold() for expected, actual in searched)


def _matches_date_of_birth(row: Row, params: Parameters) -> bool:
    text = row["bio"]["date_of_birth"]
    return params.get("date_of_birth", text) in (text, date.fromisoformat(text))


def _read(nexhealth: NexHealth, call: ApiCall) -> Reply:
    row = nexhealth.state.get("patients", call.path_ids["id"], call.institution)
    patient = {**public_fields(row), "location_ids": [row["_location"]]}
    if "upcoming_appts" in call.params.get("include[]", []):
        patient["upcoming_appts"] = _upcoming_appointments(nexhealth.state, row)
    return Reply(patient)


def _upcoming_appointments(state: NexHealthState, patient: Row) -> list[Row]:
    names = ("id", "provider_id", "provider_name", "start_time", "end_time", "location_id", "confirmed")
    return [
        {name: row[name] for name in names}
        for row in state.synced_copy.all("appointments")
        if row["patient_id"] == patient["id"]
        and not row["cancelled"]
        and parse_timestamp(row["start_time"]) > state.clock.now()
    ]


def _create(nexhealth: NexHealth, call: ApiCall) -> Reply:
    patient, provider = call.body_part("patient"), call.body_part("provider")
    check_required(provider, ("provider_id",), "provider")
    check_required(patient, ("first_name", "last_name", "email", "bio"), "patient")
    bio = _parse_bio(patient["bio"], nexhealth.state.clock.now().date())
    if not _EMAIL.fullmatch(patient["email"]):
        raise invalid_parameter("patient[email]")
    provider_row = nexhealth.state.synced_copy.get("providers", str(parse_id(provider["provider_id"])))
    if provider_row is None or call.location["id"] not in provider_row["_locations"]:
        raise not_found("Provider")
    first_name, last_name = patient["first_name"].strip(), patient["last_name"].strip()
    existing = _find_existing(nexhealth.state, call.location, f"{first_name} {last_name}", bio)
    if existing is not None and not call.body.get("return_existing_if_match", False):
        raise api_error(400, f"A patient with that information already exists - id={existing['id']}")
    row = existing or nexhealth.state.add(
        "patients",
        records.patient_object(
            call.location, first_name, last_name, patient["email"], bio, provider_id=provider_row["id"]
        ),
    )
    user = {**public_fields(row), "preferred_locale": None, "location_ids": [row["_location"]]}
    return Reply({"user": user}, status=200 if existing else 201)


def _parse_bio(body: Any, today: date) -> Row:
    """Raises ErrorResponse or ValueError for a value that is not acceptable."""
    check_required(body, ("date_of_birth", "phone_number"), "patient[bio]")
    born = date.fromisoformat(str(body["date_of_birth"]))
    if born > today or today.year - born.year > _MAX_AGE_YEARS:
        raise invalid_parameter("patient[bio][date_of_birth]")
    phone = str(body["phone_number"])[:10]
    if not _PHONE.fullmatch(phone):
        raise api_error(400, "User phone number is invalid")
    gender = body.get("gender", "Female")
    if gender not in ("Male", "Female", "Other"):
        raise invalid_parameter("patient[bio][gender]")
    bio = {name: body[name] for name in _OPTIONAL_BIO_FIELDS if name in body}
    return {**bio, "date_of_birth": born.isoformat(), "phone_number": phone, "gender": gender, "new_patient": True}


def _find_existing(state: NexHealthState, location: Row, name: str, bio: Row) -> Row | None:
    """A patient of the location with the same name, date of birth and phone number."""
    for row in state.synced_copy.all("patients"):
        same_name = row["name"].casefold() == name.casefold() and row["_location"] == location["id"]
        if same_name and all(row["bio"][field] == bio[field] for field in ("date_of_birth", "phone_number")):
            return row
    return None


ENDPOINTS = (
    Endpoint(
        "GET",
        "/patients",
        _list,
        ("subdomain", "location_id"),
        (
            *("name", "email", "phone_number", "date_of_birth", "inactive", "new_patient", "non_patient"),
            *("foreign_id", "updated_since", "location_strict", *PAGING),
        ),
    ),
    Endpoint("GET", "/patients/{id}", _read, ("subdomain",), ("include[]",)),
    Endpoint("POST", "/patients", _create, ("subdomain", "location_id")),
)
