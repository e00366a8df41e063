"""The Synchronizer: read cycles bring an office's truth into the copy, write cycles bring the queue into the office."""

import json
from typing import Any

from sandbox.nexhealth.envelope import shown
from sandbox.nexhealth.records import appointment, from_chart, from_visit, local_time, patient, source
from sandbox.nexhealth.webhooks import Webhooks
from sandbox.nexhealth.world import Line, World
from sandbox.store import Row
from sandbox.times import instant, instant_text

_WRITTEN = {
    "start_time": "start",
    "end_time": "end",
    "operatory_id": "operatory",
    "note": "note",
    "confirmed": "confirmed",
    "cancelled": "cancelled",
    "checkin_at": "checked_in_at",
}
"""What a change writes at the office: the fields that it names, and no others."""


class Sync:
    def __init__(self, world: World, webhooks: Webhooks) -> None:
        self._world, self._webhooks = world, webhooks

    def tick(self) -> None:
        """Every cycle that is due."""
        now, switches = self._world.clock.now(), self._world.switches
        for location, line in self._world.lines.items():
            self._report_recovery(location, line)
            if (now - line.write_at).total_seconds() >= switches.write_every:
                self.write(location)
            if (now - line.read_at).total_seconds() >= switches.read_every:
                self.read(location)

    def enqueue(self, operation: str, row: Row, before: Row | None = None) -> None:
        """``insert`` or ``update``; ``before`` are the fields that a failed update goes back to."""
        queued = {"operation": operation, "location": row["location_id"], "appointment": row["id"], "before": before}
        self._world.copy.put("queue", {"id": self._world.copy.next_id(), **queued, "at": self._world.clock.text()})

    def is_queued(self, appointment_id: int) -> bool:
        return any(queued["appointment"] == appointment_id for queued in self._world.copy.all("queue"))

    def dequeue(self, appointment_id: int) -> None:
        for queued in self._world.copy.all("queue"):
            if queued["appointment"] == appointment_id:
                self._world.copy.delete("queue", str(queued["id"]))

    def read(self, location: int) -> None:
        line = self._world.lines[location]
        if line.status("read") == "red":
            return
        line.read_at = self._world.clock.now()
        if line.seen_version != self._world.offices.version:
            line.seen_version = self._world.offices.version
            Reading(self._world, self._webhooks, location).run()
            self._world.read("cycle", location)

    def write(self, location: int) -> None:
        """What is held holds up what is to be written of the same appointment after it."""
        line = self._world.lines[location]
        if line.status("write") == "red":
            return
        line.write_at = self._world.clock.now()
        held = set()
        for queued in self._world.copy.all("queue"):
            if queued["location"] == location and queued["appointment"] not in held:
                Writing(self._world, self._webhooks, queued).run()
                line.seen_version = -1
                if self._world.copy.get("queue", str(queued["id"])) is not None:
                    held.add(queued["appointment"])

    def _report_recovery(self, location: int, line: Line) -> None:
        """Only red to green is told; that a line went down is for the client to find out."""
        for what in ("read", "write"):
            before, now = line.reported[what], line.status(what)
            line.reported[what] = now
            if (before, now) == ("red", "green"):
                place = self._world.get("locations", location)
                data = {"sync_status": sync_status(self._world, place)}
                self._webhooks.emit(f"sync_status_{what}_change", "SyncStatus", data, place["institution_id"])


class Reading:
    """One read cycle of one office."""

    def __init__(self, world: World, webhooks: Webhooks, location: int) -> None:
        self._world, self._webhooks = world, webhooks
        self._place = world.get("locations", location)
        self._system = world.lines[location].system
        self._now = world.clock.text()

    def run(self) -> None:
        self._patients()
        self._appointments()

    def _patients(self) -> None:
        known = {row["foreign_id"]: row for row in self._rows("patients", "_location") if row["foreign_id"]}
        for chart in self._world.offices.rows("patients", self._place["id"]):
            fields, row = from_chart(chart), known.get(str(chart["id"]))
            if row is None:
                self._new_patient(chart, fields)
            elif any(row[name] != value for name, value in fields.items()):
                row = self._world.change("patients", row, **fields, last_sync_time=self._now)
                self._emit("patient_updated", "Patient", {"patients": [shown(row)]})

    def _new_patient(self, chart: Row, fields: Row) -> None:
        placeholder = self._world.copy.get("patients", str(chart["nex_id"])) if chart["nex_id"] else None
        synced = {"foreign_id_type": source(self._place, self._system), "last_sync_time": self._now}
        if placeholder is not None and self._world.switches.placeholders == "adopted":
            self._world.change("patients", placeholder, **fields, **synced)
            return
        blank = patient(self._place, chart["first"], chart["last"], chart["email"], {})
        row = self._world.add("patients", {**blank, **fields, **synced})
        if placeholder is not None:
            self._world.copy.delete("patients", str(placeholder["id"]))
            for visit in self._rows("appointments", "location_id"):
                if visit["patient_id"] == placeholder["id"]:
                    self._world.change("appointments", visit, patient_id=row["id"])
        self._emit("patient_created", "Patient", {"patients": [shown(row)]})

    def _appointments(self) -> None:
        charts = {row["foreign_id"]: row["id"] for row in self._rows("patients", "_location")}
        rows = self._rows("appointments", "location_id")
        known = {row["foreign_id"]: row for row in rows if row["foreign_id"]}
        seen, queued = set(), {row["appointment"] for row in self._world.copy.all("queue")}
        for visit in self._world.offices.rows("appointments", self._place["id"]):
            seen.add(str(visit["id"]))
            if visit["block"] is not None and visit["block"] not in self._system.reads_blocks:
                continue
            fields = {**from_visit(visit, self._system), "patient_id": charts.get(str(visit["patient"]))}
            row = known.get(str(visit["id"]))
            if row is None:
                self._new_appointment(fields)
            elif row["id"] not in queued:
                self._changed(row, fields)
        for foreign_id, row in known.items():
            if foreign_id not in seen and not row["cancelled"]:
                self._changed(row, {"cancelled": True})

    def _new_appointment(self, fields: Row) -> None:
        stamps = {"foreign_id_type": source(self._place, self._system), "last_sync_time": self._now}
        row = self._world.add("appointments", {**appointment(self._place, **fields), **stamps, **self._named(fields)})
        self._emit("appointment_created", "Appointment", {"appointments": [shown(row)]})

    def _changed(self, row: Row, fields: Row) -> None:
        if all(row[name] == value for name, value in fields.items()):
            return
        changes: dict[str, Any] = {**fields, "last_sync_time": self._now}
        if fields["cancelled"] and not row["cancelled"]:
            changes["cancelled_at"] = self._now
        if fields.get("confirmed") and not row["confirmed"]:
            changes["confirmed_at"] = self._now
        if "start_time" in fields:
            changes |= {**local_time(self._place, fields["start_time"]), **self._named(fields)}
        row = self._world.change("appointments", row, **changes)
        self._emit("appointment_updated", "Appointment", {"appointment": shown(row)})

    def _named(self, fields: Row) -> Row:
        provider = self._world.copy.get("providers", str(fields["provider_id"]))
        return {"provider_name": provider["name"] if provider else None}

    def _rows(self, kind: str, field: str) -> list[Row]:
        return [row for row in self._world.copy.all(kind) if row[field] == self._place["id"]]

    def _emit(self, event: str, resource: str, data: Row) -> None:
        self._webhooks.emit(event, resource, data, self._place["institution_id"])


class Writing:
    """One queued write, at the office."""

    def __init__(self, world: World, webhooks: Webhooks, queued: Row) -> None:
        self._world, self._webhooks, self._queued = world, webhooks, queued
        self._row = world.get("appointments", queued["appointment"])
        self._place = world.get("locations", queued["location"])
        self._line = world.lines[queued["location"]]

    def run(self) -> None:
        operation = self._queued["operation"]
        fault = self._world.trouble("office", operation, f"/{self._place['id']}", json.dumps(shown(self._row)))
        kind = fault.kind if fault else ""
        if kind == "held":
            return
        if kind in ("failed", "timed_out", "incomplete"):
            self._fail(kind)
        elif operation == "insert":
            self._insert()
        else:
            self._update()
        self._world.copy.delete("queue", str(self._queued["id"]))

    def _insert(self) -> None:
        visit = self._world.offices.written("appointments", self._row["id"])
        if visit is None:
            if instant(self._row["start_time"]) <= self._world.clock.now():
                return self._fail("timed_out")
            wanted = self._visit()
            if not self._line.system.overlap and self._world.offices.clash(wanted):
                return self._fail("failed")
            visit = self._world.offices.book(**wanted, patient=self._chart(), nex_id=self._row["id"])
        stamps = {"foreign_id_type": source(self._place, self._line.system), "last_sync_time": self._world.clock.text()}
        self._row = self._world.change("appointments", self._row, foreign_id=str(visit["id"]), **stamps)
        if self._line.system.insertion_webhook:
            self._emit("appointment_insertion.complete")

    def _update(self) -> None:
        visit = self._world.offices.find("appointments", self._row["foreign_id"] or 0)
        if visit is None or visit["cancelled"]:
            return self._fail("failed")
        changed = {theirs: self._row[name] for name, theirs in _WRITTEN.items() if name in self._queued["before"]}
        wanted = {**visit, **changed}
        if (
            {"start", "operatory"} & changed.keys()
            and not self._line.system.overlap
            and self._world.offices.clash(wanted)
        ):
            return self._fail("failed")
        self._world.offices.save("appointments", wanted)
        self._row = self._world.change("appointments", self._row, last_sync_time=self._world.clock.text())
        self._emit("appointment_updated")

    def _visit(self) -> Row:
        row = self._row
        return {
            "location": row["location_id"],
            "provider": row["provider_id"],
            "operatory": row["operatory_id"],
            "start": row["start_time"],
            "end": row["end_time"],
            "note": row["note"] or "",
            "block": "block" if row["unavailable"] else None,
        }

    def _chart(self) -> int | None:
        """The office's chart of the patient, made with the first visit."""
        if self._row["patient_id"] is None:
            return None
        person = self._world.get("patients", self._row["patient_id"])
        if person["foreign_id"]:
            return int(person["foreign_id"])
        chart = self._world.offices.written("patients", person["id"]) or self._world.offices.enter(
            location=self._place["id"],
            first=person["first_name"],
            last=person["last_name"],
            born=person["bio"]["date_of_birth"],
            email=person["email"],
            phone=person["bio"]["phone_number"],
            gender=person["bio"]["gender"],
            nex_id=person["id"],
        )
        return int(chart["id"])

    def _fail(self, outcome: str) -> None:
        """No reason is ever given."""
        if self._queued["operation"] == "update":
            changed = {name: self._row[name] for name in self._queued["before"]}
            self._row = self._world.change("appointments", self._row, **self._queued["before"])
            self._emit(f"appointment_updated.{outcome}", previous_attributes=changed)
            return
        if self._world.switches.failed_rows == "cancelled":
            self._row = self._world.change("appointments", self._row, cancelled=True)
        if self._line.system.insertion_webhook:
            self._emit(f"appointment_insertion.{outcome}")

    def _emit(self, event: str, **more: Any) -> None:
        data = {"appointment": shown(self._row), **more}
        self._webhooks.emit(event, "Appointment", data, self._place["institution_id"])


def sync_status(world: World, place: Row) -> Row:
    line = world.lines[place["id"]]
    kind = {"id": list(world.lines).index(place["id"]) + 11, "name": line.system.name}
    return {
        "institution_id": place["institution_id"],
        "sync_source_type": "DataSource",
        "sync_source_name": place["name"],
        "emr": {**kind, "display_name": line.system.display, "type": line.system.kind},
        "read_status": line.status("read"),
        "read_status_at": instant_text(line.read_at),
        "write_status": line.status("write"),
        "write_status_at": instant_text(line.write_at),
        "locations": [{"id": place["id"], "name": place["name"]}],
    }
