"""Dentrix Ascend under test: what is written is in the calendar at once."""

import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from adapters.ascend.wire import CONFIRMED_NOTE, TENTATIVE_NOTE
from tests.faults.practice import HERE, MESSAGES, Block, Call, Change, Place, Row, Visit, reference_in


class Ascend:
    vendor = "ascend"
    lag = timedelta(0)
    rules = HERE / "ascend.toml"
    setting = "ASCEND_BASE_URL"
    place = Place("oakland", "7000000000101", "America/Los_Angeles", regular="9000000000301")
    calls = {
        **MESSAGES,
        "any": Call("ascend"),
        "new_chart": Call("ascend", "POST", r"^/v1/patients$"),
        "read_day": Call("ascend", "GET", r"^/v1/appointments$"),
        "read_one": Call("ascend", "GET", r"^/v1/appointments/"),
        "write": Call("ascend", "POST", r"^/v1/appointments$"),
        "change": Call("ascend", "PUT", r"^/v1/appointments/"),
        "delete": Call("ascend", "DELETE", r"^/v1/appointments/"),
    }

    def visits(self, state: Row) -> list[Visit]:
        return [_visit(row) for row in state["appointments"]]

    def changes(self, state: Row) -> list[Change]:
        return [_change(entry) for entry in state["log"] if entry["domainType"] == "AppointmentV1"]

    def blocks(self, state: Row) -> list[Block]:
        return [
            Block(
                start=datetime.fromisoformat(row["start"]),
                end=datetime.fromisoformat(row["end"]),
                operatory=row["operatory"]["id"] if row.get("operatory") else None,
                at=datetime.fromisoformat(row["created"]),
                provider=row["provider"]["id"] if row.get("provider") else None,
            )
            for row in state["events"]
            if not row.get("location") or row["location"]["id"] == self.place.id
        ]

    def charts(self, state: Row, surname: str) -> frozenset[str]:
        return frozenset(str(row["id"]) for row in state["patients"] if row["lastName"] == surname)

    def row_of(self, appointment_id: str, state: Row) -> str:
        return appointment_id

    def on_its_way(self, state: Row) -> list[str]:
        return []

    def untold(self, state: Row) -> list[str]:
        return []

    def reference_of(self, call: Row, state: Row) -> str | None:
        wanted = call["path"].rpartition("/")[2]
        notes = (row.get("note") for row in state["appointments"] if str(row["id"]) == wanted)
        return reference_in(call["body"]) or reference_in(next(notes, ""))

    def written_in(self, call: Row) -> Row | None:
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

    def desk(self, **action: Any) -> Row:
        return action

    def seen(self, state: Row, ended: Mapping[str, datetime]) -> Counter[str]:
        return Counter()


def _visit(row: Row) -> Visit:
    return Visit(
        id=str(row["id"]),
        start=datetime.fromisoformat(row["start"]),
        end=datetime.fromisoformat(row["end"]),
        provider=row["provider"]["id"],
        operatory=row["operatory"]["id"],
        active=row["status"] not in ("BROKEN", "NO_SHOW"),
        confirmed=row["status"] == "CONFIRMED",
        reference=reference_in(row.get("note")),
        patient=str(row["patient"]["id"]),
        words=_words(row.get("note") or ""),
        second_provider=(row.get("otherProvider") or {}).get("id"),
        final=row["status"] == "CONFIRMED",
    )


def _words(note: str) -> str:
    for marker in (TENTATIVE_NOTE, CONFIRMED_NOTE, f"ref:{reference_in(note)}"):
        note = note.replace(marker, "")
    return note.strip()


def _change(entry: Row) -> Change:
    return Change(
        at=datetime.fromisoformat(entry["sendTime"]),
        id=str(entry["id"]),
        by_us=entry["clientName"] == "api",
        visit=None if entry["operation"] == "DELETE" else _visit(entry["payload"]),
        created=entry["operation"] == "CREATE",
        unseen=entry["unseen"],
        asked_at=datetime.fromisoformat(entry["asked"]) if entry["clientName"] == "api" else None,
    )
