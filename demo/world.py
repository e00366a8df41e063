"""What is really there: calendar, charts and messages as the sandbox holds them, and what they prove."""

import re
from collections import Counter
from datetime import datetime
from typing import Any

import httpx

from demo.people import Cast

REFERENCE = re.compile(r"\bbk_[a-z2-7]{26}\b")
GONE = ("BROKEN", "NO_SHOW")

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

    def fault(self, **fault: Any) -> None:
        self._got(self._http.post("faults", json=fault))

    def clear_faults(self) -> None:
        self._got(self._http.delete("faults"))

    def _got(self, response: httpx.Response) -> Row:
        response.raise_for_status()
        found: Row = response.json()
        return found


class World:
    """One look at the sandbox."""

    def __init__(self, state: Row) -> None:
        self.state = state
        self.visits = [row for row in state["appointments"] if row["status"] not in GONE]

    def ours(self, reference: str) -> list[Row]:
        return [row for row in self.visits if reference in (row.get("note") or "")]

    def charts(self, person: Cast) -> list[Row]:
        return [
            row
            for row in self.state["patients"]
            if (row["firstName"], row["lastName"], row["dateOfBirth"]) == (person.first, person.last, person.born)
        ]

    def messages(self, person: Cast) -> tuple[int, int]:
        """Emails and texts to this person."""
        emails = sum(1 for row in self.state["emails"] if row["to"] == person.email)
        return emails, sum(1 for row in self.state["texts"] if row["to"] == f"+1{person.phone}")

    def lands(self, reference: str, person: Cast, start: datetime, *, confirmed: bool) -> bool:
        """Exactly one appointment carries the reference, for this person's one chart, at this time."""
        rows, charts = self.ours(reference), self.charts(person)
        if len(rows) != 1 or len(charts) != 1:
            return False
        (row,) = rows
        state = ("CONFIRMED", False) if confirmed else ("UNCONFIRMED", True)
        at = datetime.fromisoformat(row["start"])
        return (row["status"], row["needsFollowup"]) == state and (row["patient"]["id"], at) == (charts[0]["id"], start)

    def calendar(self, references: set[str]) -> dict[str, int]:
        """Overlaps that involve one of ours, references with two appointments, appointments nobody answers for."""
        counts = Counter(
            found.group(0) for row in self.visits if (found := REFERENCE.search(row.get("note") or "")) is not None
        )
        return {
            "overlaps": self._overlaps(),
            "duplicates": sum(1 for count in counts.values() if count > 1),
            "orphans": sum(1 for reference in counts if reference not in references),
        }

    def _overlaps(self) -> int:
        ours = [row for row in self.visits if REFERENCE.search(row.get("note") or "")]
        clashes = set()
        for mine in ours:
            for other in self.visits:
                shared = any(mine[name]["id"] == other[name]["id"] for name in ("operatory", "provider"))
                if other["id"] != mine["id"] and shared and _touch(mine, other):
                    clashes.add(frozenset((mine["id"], other["id"])))
            for block in self.state["events"]:
                chair = block.get("operatory") or mine["operatory"]
                same = block["location"]["id"] == mine["location"]["id"] and chair["id"] == mine["operatory"]["id"]
                if same and _touch(mine, block):
                    clashes.add(frozenset((mine["id"], block["id"])))
        return len(clashes)


def _touch(one: Row, other: Row) -> bool:
    starts, ends = (
        (datetime.fromisoformat(row["start"]) for row in (one, other)),
        (datetime.fromisoformat(row["end"]) for row in (one, other)),
    )
    return max(starts) < min(ends)
