"""Dentrix Ascend's API, as much of it as booking needs, with strict validation of what it accepts."""

import re
import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.ascend import list_query
from sandbox.ascend.fields import ALL_FIELDS
from sandbox.errors import ErrorResponse, apigee_fault, coded_error
from sandbox.store import Row, Store
from sandbox.timestamps import current_timestamp, format_timestamp, parse_timestamp

APPOINTMENT_STATUSES = [
    "UNCONFIRMED",
    "CONFIRMED",
    "LEFT_MESSAGE",
    "LATE",
    "HERE",
    "READY",
    "CHAIR",
    "CHECKOUT",
    "COMPLETED",
    "BROKEN",
    "NO_SHOW",
]
REQUIRED_APPOINTMENT_FIELDS = ("start", "patient", "provider", "operatory", "status")
REQUIRED_PATIENT_FIELDS = [
    "firstName",
    "lastName",
    "dateOfBirth",
    "patientStatus",
    "contactMethod",
    "languageType",
    "preferredLocation",
    "address1",
    "city",
    "state",
    "postalCode",
    "gender",
]
ROW_TYPES = {
    "locations": "LocationV1",
    "providers": "ProviderV1",
    "operatories": "OperatoryV1",
    "appointments": "AppointmentV1",
    "patients": "PatientV1",
    "scheduletemplates": "ScheduleTemplateV1",
    "scheduletemplatereasons": "ScheduleTemplateReasonV1",
    "practiceprocedures": "PracticeProcedureV1",
    "events": "EventV1",
}
"""The ``type`` of the rows of each collection."""
REFERENCED_COLLECTIONS = {"patient": "patients", "provider": "providers", "operatory": "operatories"}
"""By the field of an appointment that refers to a row."""
TOKEN_LIFETIME_SECONDS = 3600
STATUSES_THAT_FREE_THE_SLOT = ("BROKEN", "NO_SHOW")


@dataclass
class Switches:
    """Behavior that Ascend's documents leave open. ``POST /_control/settings`` sets it."""

    overlap: str = "accept"
    """What happens to an overlapping appointment: ``accept``, ``reject_400``, or any other text for a warning."""
    put_mode: str = "replace"
    """Whether PUT replaces an appointment or merges into it: ``replace`` or ``merge``."""
    page_limit: int = 500
    delete: str = "body"
    """The answer to DELETE: ``body``, ``empty_200`` or ``empty_204``."""
    post_status: int = 201
    followup_spelling: str = "needsFollowup"
    missing_organization_status: int = 400
    events_enabled: bool = True
    ids_as: str = "string"
    """How ids stand in answers: ``string`` or ``number``."""


@dataclass
class Ascend:
    store: Store
    organization: str
    client: tuple[str, str]
    """The API client's id and secret."""
    switches: Switches = field(default_factory=Switches)
    tokens: dict[str, float] = field(default_factory=dict)
    """The monotonic time at which each token expires."""
    author: str = "api"
    """Who makes the current change: ``api``, or ``desk`` in the practice's own program."""
    call_arrived_at: str = ""
    """When the current API call arrived. A scripted fault may carry it out later than that."""
    last_read: dict[str, str] = field(default_factory=dict)
    """By row id: the ``lastModified`` with which the API last returned the whole row."""

    def issue_token(self, client_id: str, secret: str, grant: str) -> Row:
        if (client_id, secret) != self.client or grant != "client_credentials":
            raise ErrorResponse(401, {"ErrorCode": "invalid_client", "Error": "ClientId is Invalid"})
        token = secrets.token_urlsafe(21)
        self.tokens[token] = time.monotonic() + TOKEN_LIFETIME_SECONDS
        return {"access_token": token, "token_type": "Bearer", "expires_in": str(TOKEN_LIFETIME_SECONDS)}

    def check_token(self, authorization: str, organization: str | None) -> None:
        """Raises ErrorResponse unless the token is valid and the organization is ours."""
        token = authorization.removeprefix("Bearer ")
        if self.tokens.get(token, 0) < time.monotonic():
            raise ErrorResponse(401, apigee_fault("Invalid Access Token", "oauth.v2.InvalidAccessToken"))
        if organization is None:
            raise coded_error(self.switches.missing_organization_status, "organization_missing")
        if organization.lower() != self.organization:
            raise coded_error(403, "organization_not_linked")

    def list_rows(self, collection: str, params: dict[str, str], staleness: float) -> Row:
        """Answer a list request. Appointments appear as they were ``staleness`` seconds ago."""
        rows = self.store.all(self._check_collection(collection))
        if collection == "appointments" and staleness:
            rows = self._appointments_as_of(datetime.now(UTC) - timedelta(seconds=staleness), rows)
        try:
            rows = list_query.filter_rows(rows, collection, params.get("filter", ""))
            rows = list_query.select_page(rows, params, self.switches.page_limit)
        except ValueError:
            raise coded_error(400, "invalid_parameter", "filter") from None
        data = [self._requested_fields(collection, row, params) for row in rows]
        return {"statusCode": 200, "data": data, "warnings": [], "errors": []}

    def read_row(self, collection: str, row_id: str, params: dict[str, str]) -> Row:
        row = self.get_row(collection, row_id)
        return {"statusCode": 200, "data": self._requested_fields(collection, row, params)}

    def create(self, collection: str, body: Row) -> tuple[int, Row]:
        """Returns the HTTP status and the answer's body."""
        kind = self._check_collection(collection)
        if collection == "appointments":
            row, warnings = self._build_appointment(body, {})
        elif collection == "patients":
            row, warnings = self._build_patient(body), []
        else:
            raise coded_error(403, "not_writable")
        now = current_timestamp()
        row = self.store.add(kind, {**row, "type": ROW_TYPES[kind], "created": now, "lastModified": now})
        self._log_change("CREATE", kind, row)
        answer = {"statusCode": self.switches.post_status, "data": self._api_row(row), "warnings": warnings}
        return self.switches.post_status, answer

    def update(self, collection: str, row_id: str, body: Row) -> Row:
        before = self.get_row(collection, row_id)
        base = before if self.switches.put_mode == "merge" or collection == "patients" else {}
        if collection == "appointments":
            row, warnings = self._build_appointment({**base, **body}, before)
        elif collection == "patients":
            row, warnings = {**before, **body}, []
        else:
            raise coded_error(403, "not_writable")
        unchangeable = {key: before[key] for key in ("id", "type", "created", "lastModified")}
        row = {**row, **unchangeable}
        if row != before:
            row["lastModified"] = current_timestamp()
            self.store.put(collection, row)
            self._log_change("UPDATE", collection, row, before)
        return {"statusCode": 200, "data": self._api_row(row), "warnings": warnings}

    def delete(self, collection: str, row_id: str) -> None:
        row = self.get_row(collection, row_id)
        if collection != "appointments":
            raise coded_error(403, "not_deletable")
        self.store.delete(collection, row_id)
        self._log_change("DELETE", collection, {"id": row["id"]}, row)

    def get_row(self, collection: str, row_id: str) -> Row:
        """Raises ErrorResponse 404."""
        row = self.store.get(self._check_collection(collection), row_id)
        if row is None:
            raise coded_error(404, "not_found")
        return row

    def _check_collection(self, collection: str) -> str:
        """Returns the collection's name. Raises ErrorResponse 404 if there is no such collection."""
        if collection not in ROW_TYPES or (collection == "events" and not self.switches.events_enabled):
            raise coded_error(404, "unknown_resource")
        return collection

    def _requested_fields(self, collection: str, row: Row, params: dict[str, str]) -> Row:
        """The row with the fields that ``responseFields`` asks for. Remembers when the whole row was read."""
        fields = params.get("responseFields")
        if fields == ALL_FIELDS and "lastModified" in row:
            self.last_read[row["id"]] = row["lastModified"]
        return self._api_row(list_query.select_fields(row, collection, fields))

    def _appointments_as_of(self, moment: datetime, rows: list[Row]) -> list[Row]:
        """The appointments as they were at that time: reverse every later change, newest first."""
        by_id = {row["id"]: row for row in rows}
        for entry in self.store.log_entries_after(format_timestamp(moment)):
            if entry["domainType"] != ROW_TYPES["appointments"]:
                continue
            if entry["before"] is None:
                by_id.pop(entry["id"], None)
            else:
                by_id[entry["id"]] = entry["before"]
        return [by_id[row_id] for row_id in sorted(by_id, key=int)]

    def _build_appointment(self, body: Row, before: Row) -> tuple[Row, list[Row]]:
        """The new row, and warnings. ``before`` is the row to be replaced, or empty. Raises ErrorResponse."""
        _check_appointment_fields(body)
        references = {name: self._reference(body[name], kind) for name, kind in REFERENCED_COLLECTIONS.items()}
        start = _parse_start(body["start"])
        minutes = int(body.get("duration") or 60)
        operatory = self.get_row("operatories", references["operatory"]["id"])
        row: Row = {
            "title": "Appointment",
            "note": None,
            "other": None,
            "bookingType": None,
            "bookedOnline": False,
            "needsFollowup": body.get("needsFollowUp", False),
            "needsPremedicate": False,
            "practiceProcedures": [],
            "patientProcedures": [],
            "visits": [],
            **{k: v for k, v in body.items() if k not in ("needsFollowUp", "end", "id", "type")},
            **references,
            "location": operatory["location"],
            "start": format_timestamp(start),
            "duration": minutes,
            "end": format_timestamp(start + timedelta(minutes=minutes)),
            "statusId": 1,
        }
        return row, self._check_overlap(row, before.get("id"))

    def _check_overlap(self, row: Row, own_id: str | None) -> list[Row]:
        """Returns warnings. Raises ErrorResponse 400 for an overlap if the switch says so."""
        if self.switches.overlap == "accept" or row["status"] in STATUSES_THAT_FREE_THE_SLOT:
            return []
        overlaps = any(other["id"] != own_id and _overlap(row, other) for other in self.store.all("appointments"))
        if overlaps and self.switches.overlap == "reject_400":
            raise coded_error(400, "overlap", "start")
        return [{"code": "overlap", "title": "overlap"}] if overlaps else []

    def _build_patient(self, body: Row) -> Row:
        for name in REQUIRED_PATIENT_FIELDS:
            if not body.get(name):
                raise coded_error(400, "required", name)
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", str(body["dateOfBirth"])):
            raise coded_error(400, "invalid_date", "dateOfBirth")
        if not re.fullmatch(r"\d{5}(-\d{4})?", str(body["postalCode"])):
            raise coded_error(400, "invalid_format", "postalCode")
        for phone in body.get("phones", []):
            if not re.fullmatch(r"\d{10}", str(phone.get("number"))) or not phone.get("phoneType"):
                raise coded_error(400, "invalid_format", "phones")
        location = self._reference(body["preferredLocation"], "locations")
        return {**body, "preferredLocation": location}

    def _reference(self, value: Any, kind: str) -> Row:
        """A reference to a row, from its id or from an object with an ``id``. Raises ErrorResponse 404."""
        row_id = str(value.get("id") if isinstance(value, dict) else value)
        if self.store.get(kind, row_id) is None:
            raise coded_error(404, "invalid_resource_reference", kind)
        url = f"/ascend-gateway/api/v1/{kind}/{row_id}"
        return {"id": row_id, "type": ROW_TYPES[kind], "url": url}

    def _api_row(self, row: Row) -> Row:
        """The row as the API spells it under the current switches."""
        api_row = dict(row)
        if "needsFollowup" in api_row and self.switches.followup_spelling != "needsFollowup":
            api_row[self.switches.followup_spelling] = api_row.pop("needsFollowup")
        if self.switches.ids_as == "number":
            api_row["id"] = int(api_row["id"])
        return api_row

    def _log_change(self, operation: str, kind: str, row: Row, before: Row | None = None) -> None:
        """Append to the audit log. ``unseen``: the row had changed after the API read it or after the call arrived."""
        last_read = self.last_read.get(row["id"], "")
        unseen = before is not None and (
            last_read != before["lastModified"] or before["lastModified"] > self.call_arrived_at
        )
        self.store.append_log(
            {
                "clientName": self.author,
                "unseen": unseen,
                "asked": self.call_arrived_at,
                "operation": operation,
                "domainType": ROW_TYPES[kind],
                "id": row["id"],
                "payload": row,
                "before": before,
                "sendTime": current_timestamp(),
            }
        )


def _check_appointment_fields(body: Row) -> None:
    for name in REQUIRED_APPOINTMENT_FIELDS:
        if not body.get(name):
            raise coded_error(400, "required", name)
    if body["status"] not in APPOINTMENT_STATUSES:
        raise coded_error(400, "invalid_enum", "status")
    if not any(body.get(name) for name in ("other", "practiceProcedures", "patientProcedures", "visits")):
        raise coded_error(400, "required", "other")


def _overlap(row: Row, other: Row) -> bool:
    """Whether the two share time and an operatory or a provider."""
    return (
        other["status"] not in STATUSES_THAT_FREE_THE_SLOT
        and other["start"] < row["end"]
        and row["start"] < other["end"]
        and any((other[name] or {}).get("id") == row[name]["id"] for name in ("operatory", "provider"))
    )


def _parse_start(text: Any) -> datetime:
    try:
        return parse_timestamp(text)
    except ValueError:
        raise coded_error(400, "invalid_date", "start") from None
