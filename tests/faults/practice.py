"""All that the fault tests know of the practice system at the other end: its calls, its calendar, its desk."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Row = dict[str, Any]

REFERENCE = re.compile(r"\bbk_[a-z2-7]{26}\b")
LOCATION, ZONE = "7000000000101", "America/Los_Angeles"
ELSEWHERE = "16:30"
"""Where the desk moves appointments to: nobody asks for that time."""

CALLS = {
    "token": ("ascend", "POST", r"^/oauth/token"),
    "new_chart": ("ascend", "POST", r"^/v1/patients$"),
    "read_day": ("ascend", "GET", r"^/v1/appointments$"),
    "read_one": ("ascend", "GET", r"^/v1/appointments/"),
    "write": ("ascend", "POST", r"^/v1/appointments$"),
    "change": ("ascend", "PUT", r"^/v1/appointments/"),
    "delete": ("ascend", "DELETE", r"^/v1/appointments/"),
    "email": ("sendgrid", "POST", r"^/v3/mail/send"),
    "text": ("twilio", "POST", r"Messages"),
}


@dataclass(frozen=True)
class Visit:
    """An appointment as the calendar holds it."""

    id: str
    start: datetime
    end: datetime
    provider: str
    operatory: str
    active: bool
    confirmed: bool
    reference: str | None = None
    patient: str = ""

    @property
    def place(self) -> tuple[Any, ...]:
        return self.start, self.end, self.provider, self.operatory, self.active


@dataclass(frozen=True)
class Change:
    """One entry of the calendar's audit trail, oldest first."""

    at: datetime
    id: str
    by_us: bool
    visit: Visit | None
    """As it was after; ``None``: deleted."""
    created: bool = False
    unseen: bool = False
    """We wrote without having seen what somebody else changed since our last reading."""


@dataclass(frozen=True)
class Block:
    start: datetime
    end: datetime
    operatory: str | None
    at: datetime
    """When the desk made it."""


def visit(row: Row) -> Visit:
    found = REFERENCE.search(row.get("note") or "")
    return Visit(
        id=str(row["id"]),
        start=datetime.fromisoformat(row["start"]),
        end=datetime.fromisoformat(row["end"]),
        provider=row["provider"]["id"],
        operatory=row["operatory"]["id"],
        active=row["status"] not in ("BROKEN", "NO_SHOW"),
        confirmed=row["status"] == "CONFIRMED",
        reference=found.group(0) if found else None,
        patient=row["patient"]["id"],
    )


def changes(state: Row) -> Iterator[Change]:
    for entry in state["log"]:
        if entry["domainType"] != "AppointmentV1":
            continue
        gone = entry["operation"] == "DELETE"
        yield Change(
            at=datetime.fromisoformat(entry["sendTime"]),
            id=str(entry["id"]),
            by_us=entry["clientName"] == "api",
            visit=None if gone else visit(entry["payload"]),
            created=entry["operation"] == "CREATE",
            unseen=entry["unseen"],
        )


def blocks(state: Row) -> Iterator[Block]:
    for row in state["events"]:
        chair = row.get("operatory")
        yield Block(
            start=datetime.fromisoformat(row["start"]),
            end=datetime.fromisoformat(row["end"]),
            operatory=chair["id"] if chair else None,
            at=datetime.fromisoformat(row["created"]),
        )


def reference_of(call: Row, state: Row) -> str | None:
    """Whose write a held call is: by its body, or by the row that its path names."""
    found = REFERENCE.search(call["body"])
    if found is None:
        wanted = call["path"].rpartition("/")[2]
        notes = (row.get("note") or "" for row in state["appointments"] if str(row["id"]) == wanted)
        found = REFERENCE.search(next(notes, ""))
    return found.group(0) if found else None


REGULAR = "9000000000301"
"""A chart that exists from the start: whom the desk books for."""


def written_in(call: Row) -> Row | None:
    """The place that a held write asks for."""
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


DONE = ("status_after", "hang_after", "drop_after", "garbage")
"""Kinds of fault that lose the answer to a write that was carried out."""
UNDONE = ("status_before", "hang_before", "drop_before")


def charts(state: Row, surnames: Sequence[str]) -> Counter[str]:
    """How many charts each of these people has."""
    return Counter(row["lastName"] for row in state["patients"] if row["lastName"] in surnames)


def late_charts(state: Row) -> int:
    """Charts that were written only after we had looked for them."""
    return sum(1 for hit in state["hits"] if hit["path"].endswith("/patients") and hit["kind"] == "late_commit")


def recovered(hits: list[Row], trail: Sequence[Change]) -> tuple[int, int]:
    """Bookings whose lost write was found again, and those whose lost write had to be written again."""
    created = Counter(c.visit.reference for c in trail if c.created and c.by_us and c.visit)
    writes = [hit for hit in hits if hit["method"] == "POST" and re.search(CALLS["write"][2], hit["path"])]
    done = {_reference_in(hit) for hit in writes if hit["kind"] in DONE}
    undone = {_reference_in(hit) for hit in writes if hit["kind"] in UNDONE}
    adopted = {reference for reference in done - undone if created[reference] == 1}
    return len(adopted), len({reference for reference in undone if created[reference] >= 1})


def _reference_in(hit: Row) -> str | None:
    found = REFERENCE.search(hit["body"])
    return found.group(0) if found else None
