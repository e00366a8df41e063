"""What is really there: calendars, charts and messages as the sandbox holds them, and what they prove."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from demo.people import Cast

REFERENCE = re.compile(r"\bbk_[a-z2-7]{26}\b")
GONE = ("BROKEN", "NO_SHOW")
HELD, CONFIRMED = "held", "confirmed"

Row = dict[str, Any]


class Control:
    """The sandbox's control endpoint."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=f"{url}/_control/", timeout=10, trust_env=False)

    def state(self) -> Row:
        return self._got(self._http.get("state"))

    def calls(self) -> dict[str, dict[str, int]]:
        """How often each endpoint of each system was called so far."""
        return self._got(self._http.get("calls"))

    def reset(self) -> None:
        """As it was on the first day, nothing called yet."""
        self._got(self._http.post("reset", json={}))

    def desk(self, **action: Any) -> Row:
        """The front desk does something in its own program; ``key`` makes it happen once."""
        return self._got(self._http.post("desk", json=action))

    def office(self, location: str, **changes: Any) -> None:
        """The server of an office behind NexHealth: ``online``."""
        self._got(self._http.post("office", json={"id": int(location), **changes}))

    def fault(self, **fault: Any) -> None:
        self._got(self._http.post("faults", json=fault))

    def _got(self, response: httpx.Response) -> Row:
        response.raise_for_status()
        found: Row = response.json()
        return found


@dataclass(frozen=True)
class Visit:
    """One appointment in a practice's own calendar. Ids are the practice system's."""

    id: str
    location: str
    operatory: str
    provider: str
    patient: str
    start: datetime
    end: datetime
    title: str
    reference: str | None
    state: str | None
    """``held`` or ``confirmed``; something else the desk has made of it: ``None``."""


@dataclass(frozen=True)
class Closed:
    """Time the desk has blocked, in one operatory or in all."""

    location: str
    operatory: str | None
    start: datetime
    end: datetime
    title: str


@dataclass(frozen=True)
class Place:
    id: str
    name: str
    zone: str
    operatories: dict[str, str]
    """Id → label."""


class World:
    """One look at the sandbox."""

    def __init__(self, state: Row) -> None:
        self.state = state
        self._offices = state["nexhealth"]["office"]
        self.places = [*_ascend_places(state), *_office_places(state["nexhealth"])]
        rows = self._offices["appointments"]
        self.visits = [*_ascend_visits(state), *(_office_visit(r) for r in rows if not (r["block"] or _gone(r)))]
        self.closed = [*_ascend_closed(state), *(_office_closed(r) for r in rows if r["block"] and not _gone(r))]

    def ours(self, reference: str) -> list[Visit]:
        return [visit for visit in self.visits if visit.reference == reference]

    def charts(self, person: Cast, location: str) -> list[str]:
        """Chart ids of this person where this location keeps its charts."""
        if location in {str(chart["location"]) for chart in self._offices["patients"]}:
            charts = [row for row in self._offices["patients"] if str(row["location"]) == location]
            return [str(r["id"]) for r in charts if (r["first"], r["last"], r["born"]) == person.identity]
        return [
            row["id"]
            for row in self.state["patients"]
            if (row["firstName"], row["lastName"], row["dateOfBirth"]) == person.identity
        ]

    def messages(self, person: Cast) -> tuple[int, int]:
        """Emails and texts to this person."""
        emails = sum(1 for row in self.state["emails"] if row["to"] == person.email)
        return emails, sum(1 for row in self.state["texts"] if row["to"] == f"+1{person.phone}")

    def lands(self, reference: str, person: Cast, start: datetime, *, confirmed: bool) -> bool:
        """Exactly one appointment carries the reference, for this person's one chart, at this time."""
        visits = self.ours(reference)
        if len(visits) != 1:
            return False
        (visit,) = visits
        state = CONFIRMED if confirmed else HELD
        return (visit.state, visit.start, [visit.patient]) == (state, start, self.charts(person, visit.location))

    def calendar(self, references: set[str]) -> dict[str, int]:
        """Overlaps that involve one of ours, references with two appointments, appointments nobody answers for."""
        counts = Counter(visit.reference for visit in self.visits if visit.reference is not None)
        return {
            "overlaps": self._overlaps(),
            "duplicates": sum(1 for count in counts.values() if count > 1),
            "orphans": sum(1 for reference in counts if reference not in references),
        }

    def _overlaps(self) -> int:
        ours = [visit for visit in self.visits if visit.reference is not None]
        visits = {
            frozenset((mine.id, other.id))
            for mine in ours
            for other in self.visits
            if other.id != mine.id and _share(mine, other) and _touch(mine, other)
        }
        closed = sum(1 for mine in ours for block in self.closed if _lies_in(mine, block) and _touch(mine, block))
        return len(visits) + closed


def _ascend_places(state: Row) -> Iterator[Place]:
    for row in state["locations"]:
        chairs = {c["id"]: c["shortName"] for c in state["operatories"] if c["location"]["id"] == row["id"]}
        yield Place(row["id"], row["name"], row["timeZone"], chairs)


def _office_places(nexhealth: Row) -> Iterator[Place]:
    for row in nexhealth["locations"]:
        chairs = {str(c["id"]): c["name"] for c in nexhealth["operatories"] if c["location_id"] == row["id"]}
        yield Place(str(row["id"]), row["name"], row["tz"], chairs)


def _ascend_visits(state: Row) -> Iterator[Visit]:
    states = {("CONFIRMED", False): CONFIRMED, ("UNCONFIRMED", True): HELD}
    for row in state["appointments"]:
        if row["status"] in GONE:
            continue
        yield Visit(
            id=row["id"],
            location=row["location"]["id"],
            operatory=row["operatory"]["id"],
            provider=row["provider"]["id"],
            patient=row["patient"]["id"],
            start=datetime.fromisoformat(row["start"]),
            end=datetime.fromisoformat(row["end"]),
            title=row["title"],
            reference=_reference(row.get("note")),
            state=states.get((row["status"], row["needsFollowup"])),
        )


def _office_visit(row: Row) -> Visit:
    return Visit(
        id=str(row["id"]),
        location=str(row["location"]),
        operatory=str(row["operatory"]),
        provider=str(row["provider"]),
        patient=str(row["patient"]),
        start=datetime.fromisoformat(row["start"]),
        end=datetime.fromisoformat(row["end"]),
        title=row["title"],
        reference=_reference(row.get("note")),
        state=CONFIRMED if row["confirmed"] else HELD,
    )


def _ascend_closed(state: Row) -> Iterator[Closed]:
    for row in state["events"]:
        chair = row.get("operatory")
        begin, end = (datetime.fromisoformat(row[name]) for name in ("start", "end"))
        yield Closed(row["location"]["id"], chair["id"] if chair else None, begin, end, row["title"])


def _office_closed(row: Row) -> Closed:
    begin, end = (datetime.fromisoformat(row[name]) for name in ("start", "end"))
    chair = str(row["operatory"]) if row["operatory"] else None
    return Closed(str(row["location"]), chair, begin, end, row["title"])


def _gone(row: Row) -> bool:
    return bool(row["cancelled"] or row["missed"])


def _reference(note: str | None) -> str | None:
    found = REFERENCE.search(note or "")
    return found.group(0) if found else None


def _share(one: Visit, other: Visit) -> bool:
    """Ids are a practice system's own: only within one do equal ids mean the same chair or person."""
    if (len(one.location) > 3) != (len(other.location) > 3):
        return False
    return one.operatory == other.operatory or one.provider == other.provider


def _lies_in(visit: Visit, block: Closed) -> bool:
    return block.location == visit.location and block.operatory in (None, visit.operatory)


def _touch(one: Visit, other: Visit | Closed) -> bool:
    return max(one.start, other.start) < min(one.end, other.end)
