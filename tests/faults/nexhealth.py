"""Offices behind NexHealth under test: their own calendars are the truth, the partner's copy and queue lag behind."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from adapters.nexhealth import NexHealthConfig, NexHealthSystem
from demo.stack import sandbox_settings
from tests.faults.practice import HERE, MESSAGES, SAME_BREATH, Block, Call, Change, Place, Row, Visit, reference_in

OFFICES = (
    Place("portland", "101", "America/Los_Angeles", regular="901"),
    Place("phoenix", "102", "America/Phoenix", regular="902"),
    Place("boston", "103", "America/New_York", regular="903"),
)
"""Dentrix G-series, Dentrix Enterprise, Eaglesoft."""
REFUSALS = tuple(f"appointment_insertion.{outcome}" for outcome in ("failed", "timed_out", "incomplete"))
LANDED, NOT_TAKEN = (
    "appointment_insertion.complete",
    ("appointment_insertion.failed", "appointment_insertion.timed_out"),
)
KEY, SUBDOMAIN = (sandbox_settings("")[name] for name in ("NEXHEALTH_API_KEY", "NEXHEALTH_SUBDOMAIN"))
SIGHTINGS = ("landed, told by webhook", "landed, found by looking", "refused by the office", "landed late, taken back")


class NexHealth:
    vendor = "nexhealth"
    lag = timedelta(seconds=20)
    """The copy may be stale, or the office off, for nearly so long in these tests."""
    rules = HERE / "nexhealth.toml"
    setting = "NEXHEALTH_BASE_URL"
    calls = {
        **MESSAGES,
        "any": Call("nexhealth"),
        "new_chart": Call("nexhealth", "POST", r"^/patients$"),
        "read_day": Call("nexhealth", "GET", r"^/appointments$"),
        "read_one": Call("nexhealth", "GET", r"^/appointments/"),
        "write": Call("nexhealth", "POST", r"^/appointments$"),
        "change": Call("nexhealth", "PATCH", r"^/appointments/", '"confirmed"'),
        "delete": Call("nexhealth", "PATCH", r"^/appointments/", '"cancelled"'),
        "insertion": Call("office", "insert"),
        "update": Call("office", "update"),
        "landed": Call("webhook", "POST", r"^appointment_insertion\.complete"),
        "any_news": Call("webhook", "POST"),
    }

    def __init__(self, seed: int) -> None:
        self.place = OFFICES[seed // 2 % len(OFFICES)]

    async def subscribe(self, url: str, told_at: str) -> str:
        """Have the sandbox tell of landings and changes there; the secret that signs."""
        config = NexHealthConfig(url, KEY, SUBDOMAIN, "dentrix", (self.place.id,), public_url=told_at)
        system = NexHealthSystem(config)
        try:
            return (await system.subscribe()).secret or ""
        finally:
            await system.close()

    def visits(self, state: Row) -> list[Visit]:
        rows = state["nexhealth"]["office"]["appointments"]
        return [_visit(row) for row in rows if row["block"] is None]

    def changes(self, state: Row) -> list[Change]:
        found: list[Change] = []
        for change in _trail(state):
            if change.by_us:
                unseen = _unseen(change, state) if change.created else _overtakes(change, found, state)
                change = replace(change, unseen=unseen, asked_at=change.at - self.lag)
            found.append(change)
        return found

    def blocks(self, state: Row) -> list[Block]:
        return [
            Block(
                start=datetime.fromisoformat(row["start"]),
                end=datetime.fromisoformat(row["end"]),
                operatory=None if row["operatory"] is None else str(row["operatory"]),
                at=datetime.fromisoformat(row["changed"]),
                provider=None if row["provider"] is None else str(row["provider"]),
            )
            for row in state["nexhealth"]["office"]["appointments"]
            if row["block"] is not None and not row["cancelled"] and str(row["location"]) == self.place.id
        ]

    def charts(self, state: Row, surname: str) -> frozenset[str]:
        rows = state["nexhealth"]["office"]["patients"]
        return frozenset(str(row["id"]) for row in rows if row["last"] == surname)

    def row_of(self, appointment_id: str, state: Row) -> str:
        written = {str(e["payload"]["nex_id"]): str(e["payload"]["id"]) for e in _entries(state)}
        return written.get(appointment_id, appointment_id)

    def on_its_way(self, state: Row) -> list[str]:
        copy = {row["id"]: row for row in state["nexhealth"]["appointments"]}
        queued = [copy[row["appointment"]] for row in state["nexhealth"]["queue"] if row["appointment"] in copy]
        waiting = [row for row in copy.values() if row["foreign_id"] is None and not row["cancelled"]]
        found = (reference_in(row["note"]) for row in queued + waiting)
        return [reference for reference in found if reference is not None]

    def untold(self, state: Row) -> list[str]:
        nex = state["nexhealth"]
        known = {row["appointment"] for row in nex["queue"]}
        for delivery in nex["deliveries"]:
            if delivery["event"] in REFUSALS and delivery["state"] == "delivered":
                known.add(json.loads(delivery["body"])["data"]["appointment"]["id"])
        rows = [row for row in nex["appointments"] if row["foreign_id"] is None and not row["cancelled"]]
        found = (reference_in(row["note"]) for row in rows if row["id"] not in known)
        return [reference for reference in found if reference is not None]

    def reference_of(self, call: Row, state: Row) -> str | None:
        wanted = call["path"].rpartition("/")[2]
        notes = (row["note"] for row in state["nexhealth"]["appointments"] if str(row["id"]) == wanted)
        return reference_in(call["body"]) or reference_in(next(notes, ""))

    def written_in(self, call: Row) -> Row | None:
        try:
            return _place_of(json.loads(call["body"])["appt"])
        except (ValueError, KeyError, TypeError):
            return None

    def desk(self, **action: Any) -> Row:
        ids: Row = {name: int(action[name]) for name in ("location", "provider", "operatory") if name in action}
        return {"system": "nexhealth", **action, **ids}

    def queued_places(self, state: Row) -> list[Row]:
        """Where what is queued for the office is to stand, as the desk would name it."""
        copy = {row["id"]: row for row in state["nexhealth"]["appointments"]}
        inserted = [row for row in state["nexhealth"]["queue"] if row["operation"] == "insert"]
        return [_place_of(copy[row["appointment"]]) for row in inserted]

    def seen(self, state: Row, ended: Mapping[str, datetime]) -> Counter[str]:
        nex = state["nexhealth"]
        ours = {row["id"]: reference_in(row["note"]) for row in nex["appointments"]}
        told: dict[str, set[int]] = {event: set() for event in (LANDED, *NOT_TAKEN)}
        for delivery in nex["deliveries"]:
            at_once = delivery["answers"] == [200] and delivery["due"] == delivery["first"]
            if delivery["event"] in told and at_once:
                told[delivery["event"]].add(json.loads(delivery["body"])["data"]["appointment"]["id"])
        refused = {reference_in(hit["body"]) for hit in state["hits"] if _is_refusal(hit)}
        refused |= {ours.get(row) for event in NOT_TAKEN for row in told[event]}
        landed = {row["nex_id"] for row in nex["office"]["appointments"] if row["nex_id"]}
        numbers = (
            len(landed & told[LANDED]),
            len(landed - told[LANDED]),
            len(refused),
            len(set(self._taken_back_late(state, ended))),
        )
        return Counter(dict(zip(SIGHTINGS, numbers, strict=True)))

    def _taken_back_late(self, state: Row, ended: Mapping[str, datetime]) -> Iterator[str]:
        gone = {visit.reference for visit in self.visits(state) if not visit.active}
        for change in _trail(state):
            reference = change.visit.reference if change.visit and change.created and change.by_us else None
            if reference is not None and reference in gone and change.at > ended.get(reference, change.at):
                yield reference


def _is_refusal(hit: Row) -> bool:
    return hit["system"] == "office" and hit["method"] == "insert" and hit["kind"] in ("failed", "timed_out")


def _place_of(appt: Row) -> Row:
    start, end = datetime.fromisoformat(appt["start_time"]), datetime.fromisoformat(appt["end_time"])
    return {
        "start": appt["start_time"],
        "duration": int((end - start).total_seconds() / 60),
        "provider": appt["provider_id"],
        "operatory": appt["operatory_id"],
    }


def _visit(row: Row) -> Visit:
    active = not (row["cancelled"] or row["missed"])
    return Visit(
        id=str(row["id"]),
        start=datetime.fromisoformat(row["start"]),
        end=datetime.fromisoformat(row["end"]),
        provider=str(row["provider"]),
        operatory=str(row["operatory"]),
        active=active,
        confirmed=active,
        reference=reference_in(row["note"]),
        patient=str(row["patient"]),
        words=row["note"].replace(f"ref:{reference_in(row['note'])}", "").strip(),
        final=active and bool(row.get("confirmed")),
    )


def _entries(state: Row) -> Iterator[Row]:
    for entry in state["nexhealth"]["office"]["log"]:
        if entry["kind"] == "appointments" and entry["payload"]["block"] is None:
            yield entry


def _trail(state: Row) -> Iterator[Change]:
    known: set[str] = set()
    for entry in _entries(state):
        row = str(entry["payload"]["id"])
        yield Change(
            at=datetime.fromisoformat(entry["at"]),
            id=row,
            by_us=entry["clientName"] == "nexhealth",
            visit=None if entry["operation"] == "DELETE" else _visit(entry["payload"]),
            created=row not in known,
        )
        known.add(row)


def _unseen(landing: Change, state: Row) -> bool:
    """Whether the copy, when we looked at it after the landing, did not yet have what the desk had put there before.

    Where we did not look at all, we could have.
    """
    nex = state["nexhealth"]
    rows = {str(entry["payload"]["id"]): entry["payload"] for entry in nex["office"]["log"]}
    ours = rows[landing.id]
    times = [(datetime.fromisoformat(read["at"]), read["what"], read["id"]) for read in nex["readings"]]
    looked = [at for at, what, row in times if (what, row) == ("item", ours["nex_id"]) and at >= landing.at]
    since = min(looked, default=landing.at)
    read_back = min((at for at, what, row in times if what == "list" and at >= since), default=None)
    for entry in nex["office"]["log"]:
        at = datetime.fromisoformat(entry["at"])
        if entry["clientName"] != "desk" or entry["kind"] != "appointments" or at > landing.at:
            continue
        copied = min(
            (t for t, what, row in times if (what, row) == ("cycle", ours["location"]) and t > at), default=None
        )
        late = read_back is not None and (copied is None or copied > read_back)
        if late and _in_the_way(entry["payload"], ours):
            return True
    return False


def _overtakes(change: Change, before: Sequence[Change], state: Row) -> bool:
    """Whether the desk changed the row, and no reading of it showed that before we asked for our change."""
    theirs = next((c for c in reversed(before) if c.id == change.id), None)
    if theirs is None or theirs.by_us:
        return False
    nex = state["nexhealth"]
    ours = next(entry["payload"] for entry in nex["office"]["log"] if str(entry["payload"]["id"]) == change.id)
    times = [(datetime.fromisoformat(read["at"]), read["what"], read["id"]) for read in nex["readings"]]
    copied = min(
        (at for at, what, row in times if (what, row) == ("cycle", ours["location"]) and at > theirs.at), default=None
    )
    looks = (("item", ours["nex_id"]), ("list", ours["location"]))
    return copied is None or not any(
        copied < at < change.at - SAME_BREATH and (what, row) in looks for at, what, row in times
    )


def _in_the_way(theirs: Row, ours: Row) -> bool:
    same = theirs["operatory"] in (None, ours["operatory"]) or theirs["provider"] == ours["provider"]
    begin, end = (datetime.fromisoformat(ours[name]) for name in ("start", "end"))
    return same and datetime.fromisoformat(theirs["start"]) < end and begin < datetime.fromisoformat(theirs["end"])
