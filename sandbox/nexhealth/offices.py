"""The practices' own systems behind NexHealth. They are the source of truth; NexHealth only copies them."""

from typing import Any

from sandbox.nexhealth.clock import Clock
from sandbox.store import Row, Store
from sandbox.timestamps import parse_timestamp

FIRST_ID = 40_001
"""Far below NexHealth's own ids, so that an id shows which of the two gave it."""


class Offices:
    """Appointments and blocks (kind ``appointments``) and charts (kind ``patients``) of every office.

    Rows have the office's own ids. ``nex_id`` is NexHealth's id of what it wrote there. ``keys`` are the keys of the
    desk actions that changed the row.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store, self.clock = store, clock
        self.version = 0
        """Rises with every change, so that a read cycle can skip an office that did not change."""
        self.author = "nexhealth"
        """Who makes the current change: ``nexhealth`` or the ``desk``."""

    def rows(self, kind: str, location_id: int) -> list[Row]:
        return [row for row in self.store.all(kind) if row["location"] == location_id]

    def get_by_any_id(self, kind: str, row_id: Any) -> Row | None:
        """By the office's id or by NexHealth's."""
        if int(row_id) < 1_000_000:
            return self.store.get(kind, str(row_id))
        return self.get_by_nexhealth_id(kind, int(row_id))

    def get_by_nexhealth_id(self, kind: str, nexhealth_id: int) -> Row | None:
        return next((row for row in self.store.all(kind) if row["nex_id"] == nexhealth_id), None)

    def add_appointment(self, **fields: Any) -> Row:
        """Add an appointment, or with ``block`` a block. Does not check for conflicts."""
        defaults: Row = {
            "patient": None,
            "end": None,
            "note": "",
            "title": "Visit",
            "confirmed": False,
            "cancelled": False,
            "missed": False,
            "checked_in_at": None,
            "checked_out": False,
            "block": None,
            "nex_id": None,
            "keys": [],
        }
        return self.save("appointments", {"id": self.store.next_id(), **defaults, **fields})

    def add_chart(self, **fields: Any) -> Row:
        defaults: Row = {
            "email": None,
            "phone": None,
            "inactive": False,
            "nex_id": None,
            "gender": "Female",
            "keys": [],
        }
        return self.save("patients", {"id": self.store.next_id(), **defaults, **fields})

    def save(self, kind: str, row: Row) -> Row:
        row = {**row, "changed": self.clock.timestamp()}
        self._log_change("SAVE", kind, row)
        return self.store.put(kind, row)

    def delete_appointment(self, row: Row) -> None:
        self._log_change("DELETE", "appointments", row)
        self.store.delete("appointments", str(row["id"]))

    def _log_change(self, operation: str, kind: str, row: Row) -> None:
        """Append the row, as it is after the change, to the audit log."""
        self.version += 1
        entry = {
            "at": self.clock.timestamp(),
            "clientName": self.author,
            "operation": operation,
            "kind": kind,
            "payload": row,
        }
        self.store.append_log(entry)

    def has_conflict(self, appointment: Row) -> bool:
        """Whether another appointment or block takes its operatory or its provider at that time."""
        return any(
            row["id"] != appointment.get("id")
            and not row["cancelled"]
            and (row["operatory"] in (None, appointment["operatory"]) or row["provider"] == appointment["provider"])
            and parse_timestamp(row["start"]) < parse_timestamp(appointment["end"])
            and parse_timestamp(appointment["start"]) < parse_timestamp(row["end"])
            for row in self.rows("appointments", appointment["location"])
        )
