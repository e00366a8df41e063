"""Offices behind NexHealth under test: the office's own calendar is the truth, NexHealth's copy and queue lag."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from adapters.nexhealth import NexHealthConfig, NexHealthSystem
from devstack import sandbox_settings
from tests.faults.practice_probe import (
    FOLDER,
    MESSAGE_CALLS,
    READ_TO_WRITE_TIME,
    Appointment,
    Block,
    Call,
    Change,
    Location,
    Row,
    find_reference,
)

OFFICES = (
    Location("portland", "101", "America/Los_Angeles", regular_patient_id="901"),
    Location("phoenix", "102", "America/Phoenix", regular_patient_id="902"),
    Location("boston", "103", "America/New_York", regular_patient_id="903"),
)
"""On Dentrix, Dentrix Enterprise and Eaglesoft."""
INSERT_COMPLETE = "appointment_insertion.complete"
INSERT_NOT_CARRIED_OUT = ("appointment_insertion.failed", "appointment_insertion.timed_out")
INSERT_NOT_COMPLETE = (*INSERT_NOT_CARRIED_OUT, "appointment_insertion.incomplete")
API_KEY, SUBDOMAIN = (sandbox_settings("")[name] for name in ("NEXHEALTH_API_KEY", "NEXHEALTH_SUBDOMAIN"))
LANDED_BY_EVENT = "landing reported by webhook"
LANDED_BY_CHECK = "landing found by a check"
REFUSED_BY_OFFICE = "write refused by the office"
LATE_LANDING_RELEASED = "late landing released"


class NexHealthProbe:
    system = "nexhealth"
    max_read_lag = timedelta(seconds=20)
    """The copy may be stale, or the office offline, for almost this long in these tests."""
    practice_file = FOLDER / "nexhealth.toml"
    url_setting = "NEXHEALTH_BASE_URL"
    calls = {
        **MESSAGE_CALLS,
        "any": Call("nexhealth"),
        "create_chart": Call("nexhealth", "POST", r"^/patients$"),
        "read_calendar": Call("nexhealth", "GET", r"^/appointments$"),
        "read_appointment": Call("nexhealth", "GET", r"^/appointments/"),
        "write": Call("nexhealth", "POST", r"^/appointments$"),
        "update": Call("nexhealth", "PATCH", r"^/appointments/", '"confirmed"'),
        "delete": Call("nexhealth", "PATCH", r"^/appointments/", '"cancelled"'),
        "queued_insert": Call("office", "insert"),
        "queued_update": Call("office", "update"),
        "landing_event": Call("webhook", "POST", r"^appointment_insertion\.complete"),
        "any_event": Call("webhook", "POST"),
    }

    def __init__(self, seed: int) -> None:
        """Offices take turns by seed."""
        self.location = OFFICES[seed // 2 % len(OFFICES)]

    async def subscribe(self, sandbox_url: str, webhook_url: str) -> str:
        """Have the sandbox send events to ``webhook_url``. Returns the secret that signs them."""
        config = NexHealthConfig(
            sandbox_url, API_KEY, SUBDOMAIN, "dentrix", (self.location.id,), public_url=webhook_url
        )
        system = NexHealthSystem(config)
        try:
            return (await system.subscribe()).secret or ""
        finally:
            await system.close()

    def appointments(self, state: Row) -> list[Appointment]:
        rows = state["nexhealth"]["office"]["appointments"]
        return [_appointment(row) for row in rows if row["block"] is None]

    def changes(self, state: Row) -> list[Change]:
        changes: list[Change] = []
        for change in _trail(state):
            if change.by_us:
                created = change.created
                unseen = _landed_over_unseen(change, state) if created else _updated_over_unseen(change, changes, state)
                change = replace(change, over_unseen_edit=unseen, called_at=change.at - self.max_read_lag)
            changes.append(change)
        return changes

    def blocks(self, state: Row) -> list[Block]:
        return [
            Block(
                start=datetime.fromisoformat(row["start"]),
                end=datetime.fromisoformat(row["end"]),
                operatory=None if row["operatory"] is None else str(row["operatory"]),
                created_at=datetime.fromisoformat(row["changed"]),
                provider=None if row["provider"] is None else str(row["provider"]),
            )
            for row in state["nexhealth"]["office"]["appointments"]
            if row["block"] is not None and not row["cancelled"] and str(row["location"]) == self.location.id
        ]

    def chart_ids(self, state: Row, surname: str) -> frozenset[str]:
        rows = state["nexhealth"]["office"]["patients"]
        return frozenset(str(row["id"]) for row in rows if row["last"] == surname)

    def calendar_id(self, appointment_id: str, state: Row) -> str:
        calendar_ids = {str(e["payload"]["nex_id"]): str(e["payload"]["id"]) for e in _appointment_entries(state)}
        return calendar_ids.get(appointment_id, appointment_id)

    def in_flight_references(self, state: Row) -> list[str]:
        copy = {row["id"]: row for row in state["nexhealth"]["appointments"]}
        queued = [copy[row["appointment"]] for row in state["nexhealth"]["queue"] if row["appointment"] in copy]
        not_landed = [row for row in copy.values() if row["foreign_id"] is None and not row["cancelled"]]
        references = (find_reference(row["note"]) for row in queued + not_landed)
        return [reference for reference in references if reference is not None]

    def unreported_references(self, state: Row) -> list[str]:
        nexhealth = state["nexhealth"]
        pending_or_reported = {row["appointment"] for row in nexhealth["queue"]}
        for delivery in nexhealth["deliveries"]:
            if delivery["event"] in INSERT_NOT_COMPLETE and delivery["state"] == "delivered":
                pending_or_reported.add(json.loads(delivery["body"])["data"]["appointment"]["id"])
        rows = [row for row in nexhealth["appointments"] if row["foreign_id"] is None and not row["cancelled"]]
        references = (find_reference(row["note"]) for row in rows if row["id"] not in pending_or_reported)
        return [reference for reference in references if reference is not None]

    def reference_of(self, call: Row, state: Row) -> str | None:
        appointment_id = call["path"].rpartition("/")[2]
        notes = (row["note"] for row in state["nexhealth"]["appointments"] if str(row["id"]) == appointment_id)
        return find_reference(call["body"]) or find_reference(next(notes, ""))

    def requested_slot(self, call: Row) -> Row | None:
        try:
            return _desk_slot(json.loads(call["body"])["appt"])
        except (ValueError, KeyError, TypeError):
            return None

    def desk_action(self, **action: Any) -> Row:
        ids: Row = {name: int(action[name]) for name in ("location", "provider", "operatory") if name in action}
        return {"system": "nexhealth", **action, **ids}

    def queued_slots(self, state: Row) -> list[Row]:
        """The slots of writes that are queued for the office, in the arguments of the sandbox's desk."""
        copy = {row["id"]: row for row in state["nexhealth"]["appointments"]}
        inserts = [row for row in state["nexhealth"]["queue"] if row["operation"] == "insert"]
        return [_desk_slot(copy[row["appointment"]]) for row in inserts]

    def count_coverage(self, state: Row, ended_at: Mapping[str, datetime]) -> Counter[str]:
        nexhealth = state["nexhealth"]
        references = {row["id"]: find_reference(row["note"]) for row in nexhealth["appointments"]}
        reported: dict[str, set[int]] = {event: set() for event in (INSERT_COMPLETE, *INSERT_NOT_CARRIED_OUT)}
        for delivery in nexhealth["deliveries"]:
            first_attempt = delivery["answers"] == [200] and delivery["due"] == delivery["first"]
            if delivery["event"] in reported and first_attempt:
                reported[delivery["event"]].add(json.loads(delivery["body"])["data"]["appointment"]["id"])
        refused = {find_reference(hit["body"]) for hit in state["hits"] if _refuses_insert(hit)}
        refused |= {references.get(row) for event in INSERT_NOT_CARRIED_OUT for row in reported[event]}
        landed = {row["nex_id"] for row in nexhealth["office"]["appointments"] if row["nex_id"]}
        return Counter(
            {
                LANDED_BY_EVENT: len(landed & reported[INSERT_COMPLETE]),
                LANDED_BY_CHECK: len(landed - reported[INSERT_COMPLETE]),
                REFUSED_BY_OFFICE: len(refused),
                LATE_LANDING_RELEASED: len(set(self._released_late_landings(state, ended_at))),
            }
        )

    def _released_late_landings(self, state: Row, ended_at: Mapping[str, datetime]) -> Iterator[str]:
        inactive = {appointment.reference for appointment in self.appointments(state) if not appointment.active}
        for change in _trail(state):
            reference = change.after.reference if change.after and change.created and change.by_us else None
            if reference is not None and reference in inactive and change.at > ended_at.get(reference, change.at):
                yield reference


def _refuses_insert(hit: Row) -> bool:
    return hit["system"] == "office" and hit["method"] == "insert" and hit["kind"] in ("failed", "timed_out")


def _desk_slot(appointment: Row) -> Row:
    start, end = (datetime.fromisoformat(appointment[name]) for name in ("start_time", "end_time"))
    return {
        "start": appointment["start_time"],
        "duration": int((end - start).total_seconds() / 60),
        "provider": appointment["provider_id"],
        "operatory": appointment["operatory_id"],
    }


def _appointment(row: Row) -> Appointment:
    active = not (row["cancelled"] or row["missed"])
    return Appointment(
        id=str(row["id"]),
        start=datetime.fromisoformat(row["start"]),
        end=datetime.fromisoformat(row["end"]),
        provider=str(row["provider"]),
        operatory=str(row["operatory"]),
        active=active,
        counts_as_confirmed=active,
        reference=find_reference(row["note"]),
        patient=str(row["patient"]),
        note=row["note"].replace(f"ref:{find_reference(row['note'])}", "").strip(),
        marked_confirmed=active and bool(row.get("confirmed")),
    )


def _appointment_entries(state: Row) -> Iterator[Row]:
    for entry in state["nexhealth"]["office"]["log"]:
        if entry["kind"] == "appointments" and entry["payload"]["block"] is None:
            yield entry


def _trail(state: Row) -> Iterator[Change]:
    """The office's audit trail, without what our reads could show."""
    known_ids: set[str] = set()
    for entry in _appointment_entries(state):
        appointment_id = str(entry["payload"]["id"])
        yield Change(
            at=datetime.fromisoformat(entry["at"]),
            appointment_id=appointment_id,
            by_us=entry["clientName"] == "nexhealth",
            after=None if entry["operation"] == "DELETE" else _appointment(entry["payload"]),
            created=appointment_id not in known_ids,
        )
        known_ids.add(appointment_id)


def _readings(state: Row) -> list[tuple[datetime, str, Any]]:
    """Time, kind and id of every read: ``item`` and ``list`` are ours, ``cycle`` is NexHealth's read of the office."""
    return [(datetime.fromisoformat(r["at"]), r["what"], r["id"]) for r in state["nexhealth"]["readings"]]


def _landed_over_unseen(landing: Change, state: Row) -> bool:
    """Whether our read-back missed a desk edit in the slot that was older than the landing, as the copy lacked it.

    If we never read back, the edit does not count as unseen: we could have seen it.
    """
    office_log = state["nexhealth"]["office"]["log"]
    rows = {str(entry["payload"]["id"]): entry["payload"] for entry in office_log}
    our_row = rows[landing.appointment_id]
    readings = _readings(state)
    checks = [at for at, what, row in readings if (what, row) == ("item", our_row["nex_id"]) and at >= landing.at]
    first_check = min(checks, default=landing.at)
    read_back = min((at for at, what, _ in readings if what == "list" and at >= first_check), default=None)
    for entry in office_log:
        at = datetime.fromisoformat(entry["at"])
        if entry["clientName"] != "desk" or entry["kind"] != "appointments" or at > landing.at:
            continue
        copied = _copied_after(at, our_row, readings)
        missed = read_back is not None and (copied is None or copied > read_back)
        if missed and _conflicts(entry["payload"], our_row):
            return True
    return False


def _updated_over_unseen(update: Change, earlier: Sequence[Change], state: Row) -> bool:
    """Whether the last edit before our update was the desk's, and we did not read a copy of it before our call."""
    last = next((change for change in reversed(earlier) if change.appointment_id == update.appointment_id), None)
    if last is None or last.by_us:
        return False
    office_log = state["nexhealth"]["office"]["log"]
    our_row = next(entry["payload"] for entry in office_log if str(entry["payload"]["id"]) == update.appointment_id)
    readings = _readings(state)
    copied = _copied_after(last.at, our_row, readings)
    our_reads = (("item", our_row["nex_id"]), ("list", our_row["location"]))
    return copied is None or not any(
        copied < at < update.at - READ_TO_WRITE_TIME and (what, row) in our_reads for at, what, row in readings
    )


def _copied_after(edit: datetime, our_row: Row, readings: Sequence[tuple[datetime, str, Any]]) -> datetime | None:
    """When NexHealth first copied the office's calendar after an edit."""
    cycles = (at for at, what, row in readings if (what, row) == ("cycle", our_row["location"]) and at > edit)
    return min(cycles, default=None)


def _conflicts(desk_row: Row, our_row: Row) -> bool:
    shared = desk_row["operatory"] in (None, our_row["operatory"]) or desk_row["provider"] == our_row["provider"]
    start, end = (datetime.fromisoformat(our_row[name]) for name in ("start", "end"))
    return (
        shared and datetime.fromisoformat(desk_row["start"]) < end and start < datetime.fromisoformat(desk_row["end"])
    )
