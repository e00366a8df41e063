"""Dentrix Ascend under test: a write is in the calendar at once."""

import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from adapters.ascend.wire import CONFIRMED_NOTE, TENTATIVE_NOTE
from tests.faults.practice_probe import (
    FOLDER,
    MESSAGE_CALLS,
    Appointment,
    Block,
    Call,
    Change,
    Location,
    Row,
    find_reference,
)


class AscendProbe:
    system = "ascend"
    max_read_lag = timedelta(0)
    practice_file = FOLDER / "ascend.toml"
    url_setting = "ASCEND_BASE_URL"
    location = Location("oakland", "7000000000101", "America/Los_Angeles", regular_patient_id="9000000000301")
    calls = {
        **MESSAGE_CALLS,
        "any": Call("ascend"),
        "create_chart": Call("ascend", "POST", r"^/v1/patients$"),
        "read_calendar": Call("ascend", "GET", r"^/v1/appointments$"),
        "read_appointment": Call("ascend", "GET", r"^/v1/appointments/"),
        "write": Call("ascend", "POST", r"^/v1/appointments$"),
        "update": Call("ascend", "PUT", r"^/v1/appointments/"),
        "delete": Call("ascend", "DELETE", r"^/v1/appointments/"),
    }

    def appointments(self, state: Row) -> list[Appointment]:
        return [_appointment(row) for row in state["appointments"]]

    def changes(self, state: Row) -> list[Change]:
        return [_change(entry) for entry in state["log"] if entry["domainType"] == "AppointmentV1"]

    def blocks(self, state: Row) -> list[Block]:
        return [
            Block(
                start=datetime.fromisoformat(row["start"]),
                end=datetime.fromisoformat(row["end"]),
                operatory=row["operatory"]["id"] if row.get("operatory") else None,
                created_at=datetime.fromisoformat(row["created"]),
                provider=row["provider"]["id"] if row.get("provider") else None,
            )
            for row in state["events"]
            if not row.get("location") or row["location"]["id"] == self.location.id
        ]

    def chart_ids(self, state: Row, surname: str) -> frozenset[str]:
        return frozenset(str(row["id"]) for row in state["patients"] if row["lastName"] == surname)

    def calendar_id(self, appointment_id: str, state: Row) -> str:
        return appointment_id

    def in_flight_references(self, state: Row) -> list[str]:
        return []

    def unreported_references(self, state: Row) -> list[str]:
        return []

    def reference_of(self, call: Row, state: Row) -> str | None:
        appointment_id = call["path"].rpartition("/")[2]
        notes = (row.get("note") for row in state["appointments"] if str(row["id"]) == appointment_id)
        return find_reference(call["body"]) or find_reference(next(notes, ""))

    def requested_slot(self, call: Row) -> Row | None:
        try:
            body = json.loads(call["body"])
            return {
                "start": body["start"],
                "duration": body["duration"],
                "provider": body["provider"]["id"],
                "operatory": body["operatory"]["id"],
            }
        except (ValueError, KeyError, TypeError):
            return None

    def desk_action(self, **action: Any) -> Row:
        return action

    def count_coverage(self, state: Row, ended_at: Mapping[str, datetime]) -> Counter[str]:
        return Counter()


def _appointment(row: Row) -> Appointment:
    return Appointment(
        id=str(row["id"]),
        start=datetime.fromisoformat(row["start"]),
        end=datetime.fromisoformat(row["end"]),
        provider=row["provider"]["id"],
        operatory=row["operatory"]["id"],
        active=row["status"] not in ("BROKEN", "NO_SHOW"),
        counts_as_confirmed=row["status"] == "CONFIRMED",
        reference=find_reference(row.get("note")),
        patient=str(row["patient"]["id"]),
        note=_strip_markers(row.get("note") or ""),
        second_provider=(row.get("otherProvider") or {}).get("id"),
        marked_confirmed=row["status"] == "CONFIRMED",
    )


def _strip_markers(note: str) -> str:
    for marker in (TENTATIVE_NOTE, CONFIRMED_NOTE, f"ref:{find_reference(note)}"):
        note = note.replace(marker, "")
    return note.strip()


def _change(entry: Row) -> Change:
    return Change(
        at=datetime.fromisoformat(entry["sendTime"]),
        appointment_id=str(entry["id"]),
        by_us=entry["clientName"] == "api",
        after=None if entry["operation"] == "DELETE" else _appointment(entry["payload"]),
        created=entry["operation"] == "CREATE",
        over_unseen_edit=entry["unseen"],
        called_at=datetime.fromisoformat(entry["asked"]) if entry["clientName"] == "api" else None,
    )
