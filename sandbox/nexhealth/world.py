"""What all of NexHealth's side shares: the copy, the offices, the clock, the switches and the scripted trouble."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sandbox.faults import Call, Fault, Faults
from sandbox.nexhealth.clock import Clock
from sandbox.nexhealth.envelope import NO_ACCESS, not_found, refusal
from sandbox.nexhealth.office import Offices
from sandbox.nexhealth.systems import SYSTEMS, System
from sandbox.store import Row, Store

FIRST_ID = 1_000_001
MOST_READINGS = 10_000


@dataclass
class Switches:
    """Where the vendor leaves it open; each default is the harder case for a client."""

    token_seconds: float = 86_400
    rate_limits: bool = True
    retry_after: int | None = None
    read_every: float = 1.0
    write_every: float = 1.0
    overlap_check: bool = True
    provider_overlap: bool = False
    placeholders: str = "replaced"
    failed_rows: str = "kept"
    cancel_before_sync: str = "dropped"
    ascend_reschedule: str = "refused"
    slots_lag: float = 0.0
    signature_in_lines: bool = False
    deliveries: str = "sparse"
    """Of an appointment only what the vendor's sample shows; ``whole``: the row."""


@dataclass
class Line:
    """The Synchronizer at one office. ``read_status`` and ``write_status`` override what ``online`` implies."""

    system: System
    read_at: datetime
    write_at: datetime
    online: bool = True
    read_status: str | None = None
    write_status: str | None = None
    seen_version: int = -1
    reported: dict[str, str] = field(default_factory=lambda: {"read": "green", "write": "green"})

    def status(self, what: str) -> str:
        given: str | None = getattr(self, f"{what}_status")
        return given or ("green" if self.online else "red")


@dataclass
class World:
    """``copy`` holds the vendor's objects under their ids; keys that begin with ``_`` are the sandbox's own."""

    copy: Store
    offices: Offices
    clock: Clock
    faults: Faults
    switches: Switches = field(default_factory=Switches)
    lines: dict[int, Line] = field(default_factory=dict)
    readings: deque[Row] = field(default_factory=lambda: deque(maxlen=MOST_READINGS))
    """When the copy read an office (``cycle``) and a client read the copy (``list``, ``item``), and which of them."""

    def read(self, what: str, row_id: int) -> None:
        self.readings.append({"at": self.clock.text(), "what": what, "id": row_id})

    def connect(self) -> None:
        """A Synchronizer for every location, as the seed names its system."""
        now = self.clock.now()
        self.lines = {row["id"]: Line(SYSTEMS[row["_system"]], now, now) for row in self.copy.all("locations")}

    def trouble(self, system: str, method: str, path: str, body: str) -> Fault | None:
        """What was scripted for a write at an ``office`` or a delivery by ``webhook``."""
        return self.faults.due(Call(system, method, path, "", body.encode()))

    def get(self, kind: str, row_id: Any, institution: Row | None = None) -> Row:
        """Raises Answer 404 for an unknown id, also for one of another institution."""
        row = self.copy.get(kind, str(row_id))
        if row is None or (institution is not None and row.get("institution_id") not in (None, institution["id"])):
            raise not_found(kind.removesuffix("s").replace("_", " ").capitalize())
        return row

    def institution(self, subdomain: str) -> Row:
        for row in self.copy.all("institutions"):
            if row["subdomain"] == subdomain and not row["_foreign"]:
                return row
        raise refusal(403, NO_ACCESS)

    def location(self, row_id: int, institution: Row) -> Row:
        row = self.copy.get("locations", str(row_id))
        if row is None or row["institution_id"] != institution["id"]:
            raise refusal(403, NO_ACCESS)
        return row

    def add(self, kind: str, row: Row) -> Row:
        stamp = self.clock.text()
        return self.copy.put(kind, {"id": self.copy.next_id(), "created_at": stamp, "updated_at": stamp, **row})

    def change(self, kind: str, row: Row, **changes: Any) -> Row:
        """``updated_at`` rises with every change."""
        return self.copy.put(kind, {**row, **changes, "updated_at": self.clock.text()})
