"""NexHealth's Synchronizer.

Read cycles bring an office's data into NexHealth's copy. Write cycles bring the queued writes into the office.
"""

import json
from typing import Any

from sandbox.nexhealth.envelope import public_fields
from sandbox.nexhealth.records import (
    appointment_fields,
    appointment_object,
    foreign_id_type,
    patient_fields,
    patient_object,
    time_zone_fields,
)
from sandbox.nexhealth.state import NexHealthState, OfficeLink
from sandbox.nexhealth.webhooks import Webhooks
from sandbox.store import Row
from sandbox.timestamps import format_timestamp, parse_timestamp

_OFFICE_FIELDS = {
    "start_time": "start",
    "end_time": "end",
    "operatory_id": "operatory",
    "note": "note",
    "confirmed": "confirmed",
    "cancelled": "cancelled",
    "checkin_at": "checked_in_at",
}
"""The office's name for each field that a change can write. A change writes only the fields that it names."""


class Synchronizer:
    def __init__(self, state: NexHealthState, webhooks: Webhooks) -> None:
        self._state, self._webhooks = state, webhooks

    def run_due_cycles(self) -> None:
        now, switches = self._state.clock.now(), self._state.switches
        for location_id, link in self._state.links.items():
            self._report_recovery(location_id, link)
            if (now - link.write_at).total_seconds() >= switches.write_every:
                self.run_write_cycle(location_id)
            if (now - link.read_at).total_seconds() >= switches.read_every:
                self.run_read_cycle(location_id)

    def enqueue(self, operation: str, row: Row, before: Row | None = None) -> None:
        """Queue an ``insert`` or ``update``. If the office refuses an update, the row gets the values of ``before``."""
        write = {"operation": operation, "location": row["location_id"], "appointment": row["id"], "before": before}
        queue_id = self._state.synced_copy.next_id()
        self._state.synced_copy.put("queue", {"id": queue_id, **write, "at": self._state.clock.timestamp()})

    def is_queued(self, appointment_id: int) -> bool:
        return any(write["appointment"] == appointment_id for write in self._state.synced_copy.all("queue"))

    def dequeue(self, appointment_id: int) -> None:
        for write in self._state.synced_copy.all("queue"):
            if write["appointment"] == appointment_id:
                self._state.synced_copy.delete("queue", str(write["id"]))

    def run_read_cycle(self, location_id: int) -> None:
        link = self._state.links[location_id]
        if link.status("read") == "red":
            return
        link.read_at = self._state.clock.now()
        if link.read_version != self._state.offices.version:
            link.read_version = self._state.offices.version
            ReadCycle(self._state, self._webhooks, location_id).run()
            self._state.record_reading("cycle", location_id)

    def run_write_cycle(self, location_id: int) -> None:
        """A write that a fault holds in the queue also holds later writes of the same appointment."""
        link = self._state.links[location_id]
        if link.status("write") == "red":
            return
        link.write_at = self._state.clock.now()
        held_appointments = set()
        for write in self._state.synced_copy.all("queue"):
            if write["location"] == location_id and write["appointment"] not in held_appointments:
                QueuedWrite(self._state, self._webhooks, write).run()
                link.read_version = -1
                if self._state.synced_copy.get("queue", str(write["id"])) is not None:
                    held_appointments.add(write["appointment"])

    def _report_recovery(self, location_id: int, link: OfficeLink) -> None:
        """Send a webhook only for red to green. That a link went down, clients must find out themselves."""
        for direction in ("read", "write"):
            before, now = link.reported[direction], link.status(direction)
            link.reported[direction] = now
            if (before, now) == ("red", "green"):
                location = self._state.get("locations", location_id)
                data = {"sync_status": sync_status(self._state, location)}
                event = f"sync_status_{direction}_change"
                self._webhooks.emit(event, "SyncStatus", data, location["institution_id"])


class ReadCycle:
    """One read cycle of one office."""

    def __init__(self, state: NexHealthState, webhooks: Webhooks, location_id: int) -> None:
        self._state, self._webhooks = state, webhooks
        self._location = state.get("locations", location_id)
        self._system = state.links[location_id].system
        self._now = state.clock.timestamp()

    def run(self) -> None:
        self._read_patients()
        self._read_appointments()

    def _read_patients(self) -> None:
        known = {row["foreign_id"]: row for row in self._copied_rows("patients", "_location") if row["foreign_id"]}
        for chart in self._state.offices.rows("patients", self._location["id"]):
            fields, row = patient_fields(chart), known.get(str(chart["id"]))
            if row is None:
                self._add_patient(chart, fields)
            elif any(row[name] != value for name, value in fields.items()):
                row = self._state.update("patients", row, **fields, last_sync_time=self._now)
                self._emit("patient_updated", "Patient", {"patients": [public_fields(row)]})

    def _add_patient(self, chart: Row, fields: Row) -> None:
        """Add the office's chart, in place of or merged into the patient that NexHealth created for it."""
        copy = self._state.synced_copy
        placeholder = copy.get("patients", str(chart["nex_id"])) if chart["nex_id"] else None
        sync_fields = {
            "foreign_id_type": foreign_id_type(self._location, self._system),
            "last_sync_time": self._now,
        }
        if placeholder is not None and self._state.switches.placeholders == "adopted":
            self._state.update("patients", placeholder, **fields, **sync_fields)
            return
        new_patient = patient_object(self._location, chart["first"], chart["last"], chart["email"], {})
        row = self._state.add("patients", {**new_patient, **fields, **sync_fields})
        if placeholder is not None:
            copy.delete("patients", str(placeholder["id"]))
            for appointment in self._copied_rows("appointments", "location_id"):
                if appointment["patient_id"] == placeholder["id"]:
                    self._state.update("appointments", appointment, patient_id=row["id"])
        self._emit("patient_created", "Patient", {"patients": [public_fields(row)]})

    def _read_appointments(self) -> None:
        patient_ids = {row["foreign_id"]: row["id"] for row in self._copied_rows("patients", "_location")}
        rows = self._copied_rows("appointments", "location_id")
        known = {row["foreign_id"]: row for row in rows if row["foreign_id"]}
        foreign_ids, queued = set(), {write["appointment"] for write in self._state.synced_copy.all("queue")}
        for office_row in self._state.offices.rows("appointments", self._location["id"]):
            foreign_ids.add(str(office_row["id"]))
            if office_row["block"] is not None and office_row["block"] not in self._system.reads_blocks:
                continue
            fields = appointment_fields(office_row, self._system)
            fields["patient_id"] = patient_ids.get(str(office_row["patient"]))
            row = known.get(str(office_row["id"]))
            if row is None:
                self._add_appointment(fields)
            elif row["id"] not in queued:  # a queued change must not be overwritten by what the office has now
                self._update_appointment(row, fields)
        for foreign_id, row in known.items():
            if foreign_id not in foreign_ids and not row["cancelled"]:
                self._update_appointment(row, {"cancelled": True})

    def _add_appointment(self, fields: Row) -> None:
        sync_fields = {
            "foreign_id_type": foreign_id_type(self._location, self._system),
            "last_sync_time": self._now,
        }
        appointment = appointment_object(self._location, **fields)
        row = self._state.add("appointments", {**appointment, **sync_fields, **self._provider_name(fields)})
        self._emit("appointment_created", "Appointment", {"appointments": [public_fields(row)]})

    def _update_appointment(self, row: Row, fields: Row) -> None:
        """Save the fields, and send a webhook, if any of them differs."""
        if all(row[name] == value for name, value in fields.items()):
            return
        changes: dict[str, Any] = {**fields, "last_sync_time": self._now}
        if fields["cancelled"] and not row["cancelled"]:
            changes["cancelled_at"] = self._now
        if fields.get("confirmed") and not row["confirmed"]:
            changes["confirmed_at"] = self._now
        if "start_time" in fields:
            changes |= {**time_zone_fields(self._location, fields["start_time"]), **self._provider_name(fields)}
        row = self._state.update("appointments", row, **changes)
        self._emit("appointment_updated", "Appointment", {"appointment": public_fields(row)})

    def _provider_name(self, fields: Row) -> Row:
        provider = self._state.synced_copy.get("providers", str(fields["provider_id"]))
        return {"provider_name": provider["name"] if provider else None}

    def _copied_rows(self, kind: str, location_field: str) -> list[Row]:
        return [row for row in self._state.synced_copy.all(kind) if row[location_field] == self._location["id"]]

    def _emit(self, event: str, resource: str, data: Row) -> None:
        self._webhooks.emit(event, resource, data, self._location["institution_id"])


class QueuedWrite:
    """Carries out one queued write at the office."""

    def __init__(self, state: NexHealthState, webhooks: Webhooks, write: Row) -> None:
        self._state, self._webhooks, self._write = state, webhooks, write
        self._row = state.get("appointments", write["appointment"])
        self._location = state.get("locations", write["location"])
        self._link = state.links[write["location"]]

    def run(self) -> None:
        operation = self._write["operation"]
        body = json.dumps(public_fields(self._row))
        fault = self._state.next_fault("office", operation, f"/{self._location['id']}", body)
        kind = fault.kind if fault else ""
        if kind == "held":
            return
        if kind in ("failed", "timed_out", "incomplete"):
            self._fail(kind)
        elif operation == "insert":
            self._insert()
        else:
            self._update()
        self._state.synced_copy.delete("queue", str(self._write["id"]))

    def _insert(self) -> None:
        offices = self._state.offices
        office_row = offices.get_by_nexhealth_id("appointments", self._row["id"])
        if office_row is None:
            if parse_timestamp(self._row["start_time"]) <= self._state.clock.now():
                return self._fail("timed_out")
            appointment = self._office_appointment()
            if not self._link.system.overlap and offices.has_conflict(appointment):
                return self._fail("failed")
            chart_id = self._get_or_add_chart()
            office_row = offices.add_appointment(**appointment, patient=chart_id, nex_id=self._row["id"])
        self._row = self._state.update(
            "appointments",
            self._row,
            foreign_id=str(office_row["id"]),
            foreign_id_type=foreign_id_type(self._location, self._link.system),
            last_sync_time=self._state.clock.timestamp(),
        )
        if self._link.system.insertion_webhook:
            self._emit("appointment_insertion.complete")

    def _update(self) -> None:
        offices = self._state.offices
        office_row = offices.get_by_any_id("appointments", self._row["foreign_id"] or 0)
        if office_row is None or office_row["cancelled"]:
            return self._fail("failed")
        changes = {
            office_name: self._row[name]
            for name, office_name in _OFFICE_FIELDS.items()
            if name in self._write["before"]
        }
        changed_row = {**office_row, **changes}
        takes_other_slot = bool({"start", "operatory"} & changes.keys())
        if takes_other_slot and not self._link.system.overlap and offices.has_conflict(changed_row):
            return self._fail("failed")
        offices.save("appointments", changed_row)
        self._row = self._state.update("appointments", self._row, last_sync_time=self._state.clock.timestamp())
        self._emit("appointment_updated")

    def _office_appointment(self) -> Row:
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

    def _get_or_add_chart(self) -> int | None:
        """The id of the patient's chart at the office, or None for a block. A first appointment adds the chart."""
        if self._row["patient_id"] is None:
            return None
        patient = self._state.get("patients", self._row["patient_id"])
        if patient["foreign_id"]:
            return int(patient["foreign_id"])
        offices = self._state.offices
        chart = offices.get_by_nexhealth_id("patients", patient["id"]) or offices.add_chart(
            location=self._location["id"],
            first=patient["first_name"],
            last=patient["last_name"],
            born=patient["bio"]["date_of_birth"],
            email=patient["email"],
            phone=patient["bio"]["phone_number"],
            gender=patient["bio"]["gender"],
            nex_id=patient["id"],
        )
        return int(chart["id"])

    def _fail(self, outcome: str) -> None:
        """Revert a failed update in the copy, and send the webhook. NexHealth never gives a reason."""
        if self._write["operation"] == "update":
            refused_values = {name: self._row[name] for name in self._write["before"]}
            self._row = self._state.update("appointments", self._row, **self._write["before"])
            self._emit(f"appointment_updated.{outcome}", previous_attributes=refused_values)
            return
        if self._state.switches.failed_rows == "cancelled":
            self._row = self._state.update("appointments", self._row, cancelled=True)
        if self._link.system.insertion_webhook:
            self._emit(f"appointment_insertion.{outcome}")

    def _emit(self, event: str, **more_data: Any) -> None:
        data = {"appointment": public_fields(self._row), **more_data}
        self._webhooks.emit(event, "Appointment", data, self._location["institution_id"])


def sync_status(state: NexHealthState, location: Row) -> Row:
    """The ``/sync_status`` object of a location."""
    link = state.links[location["id"]]
    emr_id = list(state.links).index(location["id"]) + 11
    system = link.system
    return {
        "institution_id": location["institution_id"],
        "sync_source_type": "DataSource",
        "sync_source_name": location["name"],
        "emr": {"id": emr_id, "name": system.name, "display_name": system.display, "type": system.kind},
        "read_status": link.status("read"),
        "read_status_at": format_timestamp(link.read_at),
        "write_status": link.status("write"),
        "write_status_at": format_timestamp(link.write_at),
        "locations": [{"id": location["id"], "name": location["name"]}],
    }
