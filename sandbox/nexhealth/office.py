"""The practices' own systems: the truth that the front desks work in, and that NexHealth only copies."""

from typing import Any

from sandbox.nexhealth.clock import Clock
from sandbox.store import Row, Store
from sandbox.times import instant

FIRST_ID = 40_001
"""Far below NexHealth's own ids, so that either kind of id says what it is."""


class Offices:
    """Visits and blocks (kind ``appointments``) and charts (``patients``) of every office, by the office's own ids.

    ``nex_id`` on a row is NexHealth's id of what it wrote there, ``keys`` those of the desk's actions on it.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store, self.clock = store, clock
        self.version = 0
        self.author = "nexhealth"
        """Who writes at this moment: ``nexhealth``, or the ``desk``."""

    def rows(self, kind: str, location: int) -> list[Row]:
        return [row for row in self.store.all(kind) if row["location"] == location]

    def find(self, kind: str, row_id: Any) -> Row | None:
        """By the office's id or by NexHealth's."""
        if int(row_id) < 1_000_000:
            return self.store.get(kind, str(row_id))
        return self.written(kind, int(row_id))

    def written(self, kind: str, nex_id: int) -> Row | None:
        return next((row for row in self.store.all(kind) if row["nex_id"] == nex_id), None)

    def book(self, **given: Any) -> Row:
        visit: Row = {
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
        return self.save("appointments", {"id": self.store.next_id(), **visit, **given})

    def enter(self, **given: Any) -> Row:
        chart: Row = {"email": None, "phone": None, "inactive": False, "nex_id": None, "gender": "Female", "keys": []}
        return self.save("patients", {"id": self.store.next_id(), **chart, **given})

    def save(self, kind: str, row: Row) -> Row:
        row = {**row, "changed": self.clock.text()}
        self._note("SAVE", kind, row)
        return self.store.put(kind, row)

    def delete(self, row: Row) -> None:
        self._note("DELETE", "appointments", row)
        self.store.delete("appointments", str(row["id"]))

    def _note(self, operation: str, kind: str, row: Row) -> None:
        """The audit trail; the row as it is from now on."""
        self.version += 1
        entry = {
            "at": self.clock.text(),
            "clientName": self.author,
            "operation": operation,
            "kind": kind,
            "payload": row,
        }
        self.store.note(entry)

    def clash(self, wanted: Row) -> bool:
        """Whether something else is in the way of the visit: in its operatory, or its provider's."""
        return any(
            row["id"] != wanted.get("id")
            and not row["cancelled"]
            and (row["operatory"] in (None, wanted["operatory"]) or row["provider"] == wanted["provider"])
            and instant(row["start"]) < instant(wanted["end"])
            and instant(wanted["start"]) < instant(row["end"])
            for row in self.rows("appointments", wanted["location"])
        )
