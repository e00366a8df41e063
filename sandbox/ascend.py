"""Dentrix Ascend's API as far as booking needs it, with its own opinions on what is valid."""

import re
import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox import query
from sandbox.fields import EVERYTHING
from sandbox.store import Row, Store
from sandbox.times import instant, instant_text, now_text

STATUSES = [
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
REQUIRED = ("start", "patient", "provider", "operatory", "status")
PATIENT_REQUIRED = [
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
COLLECTIONS = {
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
REFERENCES = {"patient": "patients", "provider": "providers", "operatory": "operatories"}


class Answer(Exception):
    """An error answer."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


def problem(status: int, code: str, field: str = "") -> Answer:
    error = {"code": code, "title": code.replace("_", " "), "description": "", "source": field}
    return Answer(status, {"statusCode": status, "errors": [error]})


@dataclass
class Switches:
    overlap: str = "accept"
    put_mode: str = "replace"
    page_limit: int = 500
    delete: str = "body"
    post_status: int = 201
    followup_spelling: str = "needsFollowup"
    missing_organization_status: int = 400
    events_enabled: bool = True
    ids_as: str = "string"


@dataclass
class Ascend:
    store: Store
    organization: str
    client: tuple[str, str]
    switches: Switches = field(default_factory=Switches)
    tokens: dict[str, float] = field(default_factory=dict)
    author: str = "api"
    """Who writes at this moment: ``api``, or ``desk`` in the practice's own program."""
    asked: str = ""
    """When the call that is carried out now arrived."""
    read: dict[str, str] = field(default_factory=dict)
    """``lastModified`` of each row as the API last gave it whole."""

    def token(self, client_id: str, secret: str, grant: str) -> Row:
        if (client_id, secret) != self.client or grant != "client_credentials":
            raise Answer(401, {"ErrorCode": "invalid_client", "Error": "ClientId is Invalid"})
        token = secrets.token_urlsafe(21)
        self.tokens[token] = time.monotonic() + 3600
        return {"access_token": token, "token_type": "Bearer", "expires_in": "3600"}

    def authorize(self, authorization: str, organization: str | None) -> None:
        token = authorization.removeprefix("Bearer ")
        if self.tokens.get(token, 0) < time.monotonic():
            raise Answer(401, fault("Invalid Access Token", "oauth.v2.InvalidAccessToken"))
        if organization is None:
            raise problem(self.switches.missing_organization_status, "organization_missing")
        if organization.lower() != self.organization:
            raise problem(403, "organization_not_linked")

    def listing(self, collection: str, params: dict[str, str], stale: float) -> Row:
        rows = self.store.all(self._known(collection))
        if collection == "appointments" and stale:
            rows = self._as_of(datetime.now(UTC) - timedelta(seconds=stale), rows)
        try:
            rows = query.matching(rows, collection, params.get("filter", ""))
            rows = query.page(rows, params, self.switches.page_limit)
        except ValueError:
            raise problem(400, "invalid_parameter", "filter") from None
        data = [self._given(collection, row, params) for row in rows]
        return {"statusCode": 200, "data": data, "warnings": [], "errors": []}

    def item(self, collection: str, row_id: str, params: dict[str, str]) -> Row:
        row = self.found(collection, row_id)
        return {"statusCode": 200, "data": self._given(collection, row, params)}

    def _given(self, collection: str, row: Row, params: dict[str, str]) -> Row:
        fields = params.get("responseFields")
        if fields == EVERYTHING and "lastModified" in row:
            self.read[row["id"]] = row["lastModified"]
        return self._shown(query.project(row, collection, fields))

    def _as_of(self, moment: datetime, rows: list[Row]) -> list[Row]:
        """Appointments as they were then: what was done since is undone, last first."""
        then = {row["id"]: row for row in rows}
        for entry in self.store.log_since(instant_text(moment)):
            if entry["domainType"] != COLLECTIONS["appointments"]:
                continue
            if entry["before"] is None:
                then.pop(entry["id"], None)
            else:
                then[entry["id"]] = entry["before"]
        return [then[row_id] for row_id in sorted(then, key=int)]

    def create(self, collection: str, given: Row) -> tuple[int, Row]:
        kind = self._known(collection)
        if collection == "appointments":
            row, warnings = self._appointment(given, {})
        elif collection == "patients":
            row, warnings = self._patient(given), []
        else:
            raise problem(403, "not_writable")
        stamp = now_text()
        row = self.store.add(kind, {**row, "type": COLLECTIONS[kind], "created": stamp, "lastModified": stamp})
        self._note("CREATE", kind, row)
        body = {"statusCode": self.switches.post_status, "data": self._shown(row), "warnings": warnings}
        return self.switches.post_status, body

    def update(self, collection: str, row_id: str, given: Row) -> Row:
        before = self.found(collection, row_id)
        base = before if self.switches.put_mode == "merge" or collection == "patients" else {}
        if collection == "appointments":
            row, warnings = self._appointment({**base, **given}, before)
        elif collection == "patients":
            row, warnings = {**before, **given}, []
        else:
            raise problem(403, "not_writable")
        kept = {key: before[key] for key in ("id", "type", "created", "lastModified")}
        row = {**row, **kept}
        if row != before:
            row["lastModified"] = now_text()
            self.store.put(collection, row)
            self._note("UPDATE", collection, row, before)
        return {"statusCode": 200, "data": self._shown(row), "warnings": warnings}

    def delete(self, collection: str, row_id: str) -> None:
        row = self.found(collection, row_id)
        if collection != "appointments":
            raise problem(403, "not_deletable")
        self.store.delete(collection, row_id)
        self._note("DELETE", collection, {"id": row["id"]}, row)

    def _known(self, collection: str) -> str:
        if collection not in COLLECTIONS or (collection == "events" and not self.switches.events_enabled):
            raise problem(404, "unknown_resource")
        return collection

    def found(self, collection: str, row_id: str) -> Row:
        row = self.store.get(self._known(collection), row_id)
        if row is None:
            raise problem(404, "not_found")
        return row

    def _appointment(self, given: Row, before: Row) -> tuple[Row, list[Row]]:
        for name in REQUIRED:
            if not given.get(name):
                raise problem(400, "required", name)
        if given["status"] not in STATUSES:
            raise problem(400, "invalid_enum", "status")
        if not any(given.get(name) for name in ("other", "practiceProcedures", "patientProcedures", "visits")):
            raise problem(400, "required", "other")
        references = {name: self._reference(given[name], kind) for name, kind in REFERENCES.items()}
        start = _start(given["start"])
        minutes = int(given.get("duration") or 60)
        operatory = self.found("operatories", references["operatory"]["id"])
        row: Row = {
            "title": "Appointment",
            "note": None,
            "other": None,
            "bookingType": None,
            "bookedOnline": False,
            "needsFollowup": given.get("needsFollowUp", False),
            "needsPremedicate": False,
            "practiceProcedures": [],
            "patientProcedures": [],
            "visits": [],
            **{k: v for k, v in given.items() if k not in ("needsFollowUp", "end", "id", "type")},
            **references,
            "location": operatory["location"],
            "start": instant_text(start),
            "duration": minutes,
            "end": instant_text(start + timedelta(minutes=minutes)),
            "statusId": 1,
        }
        return row, self._overlap_policy(row, before.get("id"))

    def _overlap_policy(self, row: Row, own_id: str | None) -> list[Row]:
        if self.switches.overlap == "accept" or row["status"] in ("BROKEN", "NO_SHOW"):
            return []
        clash = any(
            other["id"] != own_id
            and other["status"] not in ("BROKEN", "NO_SHOW")
            and other["start"] < row["end"]
            and row["start"] < other["end"]
            and any((other[name] or {}).get("id") == row[name]["id"] for name in ("operatory", "provider"))
            for other in self.store.all("appointments")
        )
        if clash and self.switches.overlap == "reject_400":
            raise problem(400, "overlap", "start")
        return [{"code": "overlap", "title": "overlap"}] if clash else []

    def _patient(self, given: Row) -> Row:
        for name in PATIENT_REQUIRED:
            if not given.get(name):
                raise problem(400, "required", name)
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", str(given["dateOfBirth"])):
            raise problem(400, "invalid_date", "dateOfBirth")
        if not re.fullmatch(r"\d{5}(-\d{4})?", str(given["postalCode"])):
            raise problem(400, "invalid_format", "postalCode")
        for phone in given.get("phones", []):
            if not re.fullmatch(r"\d{10}", str(phone.get("number"))) or not phone.get("phoneType"):
                raise problem(400, "invalid_format", "phones")
        location = self._reference(given["preferredLocation"], "locations")
        return {**given, "preferredLocation": location}

    def _reference(self, given: Any, kind: str) -> Row:
        row_id = str(given.get("id") if isinstance(given, dict) else given)
        if self.store.get(kind, row_id) is None:
            raise problem(404, "invalid_resource_reference", kind)
        url = f"/ascend-gateway/api/v1/{kind}/{row_id}"
        return {"id": row_id, "type": COLLECTIONS[kind], "url": url}

    def _shown(self, row: Row) -> Row:
        shown = dict(row)
        if "needsFollowup" in shown and self.switches.followup_spelling != "needsFollowup":
            shown[self.switches.followup_spelling] = shown.pop("needsFollowup")
        if self.switches.ids_as == "number":
            shown["id"] = int(shown["id"])
        return shown

    def _note(self, operation: str, kind: str, row: Row, before: Row | None = None) -> None:
        """The audit trail. ``unseen``: the row had changed since the API's last reading, or since the call arrived."""
        known = self.read.get(row["id"], "")
        unseen = before is not None and (known != before["lastModified"] or before["lastModified"] > self.asked)
        self.store.note(
            {
                "clientName": self.author,
                "unseen": unseen,
                "asked": self.asked,
                "operation": operation,
                "domainType": COLLECTIONS[kind],
                "id": row["id"],
                "payload": row,
                "before": before,
                "sendTime": now_text(),
            }
        )


def fault(text: str, code: str) -> Row:
    """Apigee's own error shape."""
    return {"fault": {"faultstring": text, "detail": {"errorcode": code}}}


def _start(text: Any) -> datetime:
    try:
        return instant(text)
    except ValueError:
        raise problem(400, "invalid_date", "start") from None
