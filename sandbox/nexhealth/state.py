"""What all of NexHealth's parts share: its copy of the offices' data, the offices, the clock, switches and faults."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sandbox.faults import Fault, Faults, VendorCall
from sandbox.nexhealth.clock import Clock
from sandbox.nexhealth.envelope import NO_ACCESS, api_error, not_found
from sandbox.nexhealth.offices import Offices
from sandbox.nexhealth.systems import SYSTEMS, PracticeSystem
from sandbox.store import Row, Store

FIRST_ID = 1_000_001
MAX_READINGS = 10_000


@dataclass
class Switches:
    """Behavior that NexHealth's documents leave open. Each default is the harder case for a client.

    ``POST /_control/nexhealth`` sets it.
    """

    token_seconds: float = 86_400
    rate_limits: bool = True
    retry_after: int | None = None
    """The ``Retry-After`` of a 429 answer, in seconds; None for no such header."""
    read_every: float = 1.0
    """Seconds between two read cycles of an office."""
    write_every: float = 1.0
    """Seconds between two write cycles of an office."""
    overlap_check: bool = True
    """Whether a new appointment is checked against NexHealth's copy of the calendar."""
    provider_overlap: bool = False
    """Whether that check also looks at the provider's other operatories."""
    placeholders: str = "replaced"
    """What happens to NexHealth's own patient when the office has a chart: ``replaced`` or ``adopted``."""
    failed_rows: str = "kept"
    """What happens to an appointment that the office refused: ``kept`` or ``cancelled``."""
    cancel_before_sync: str = "dropped"
    """What a cancellation does to a write still in the queue: ``dropped``, or ``written`` and then cancelled."""
    ascend_reschedule: str = "refused"
    """Where a system cannot reschedule: ``refused``, or any other text to change only NexHealth's copy."""
    slots_lag: float = 0.0
    """For how many seconds a new appointment does not yet affect ``/available_slots``."""
    signature_in_lines: bool = False
    """Whether a webhook's signed base64 text has line breaks, as Ruby writes it by default."""
    deliveries: str = "sparse"
    """``sparse``: webhooks carry only the fields of the vendor's sample; ``whole``: the whole appointment."""


@dataclass
class OfficeLink:
    """The Synchronizer's link to one office."""

    system: PracticeSystem
    read_at: datetime
    """When the latest read cycle ran."""
    write_at: datetime
    online: bool = True
    read_status: str | None = None
    """Overrides what ``online`` implies; so does ``write_status``."""
    write_status: str | None = None
    read_version: int = -1
    """The version of the offices that the latest read cycle saw; -1 forces the next one."""
    reported: dict[str, str] = field(default_factory=lambda: {"read": "green", "write": "green"})
    """The statuses that webhooks last compared, by direction."""

    def status(self, direction: str) -> str:
        """``green`` or ``red``, for ``read`` or ``write``."""
        override: str | None = getattr(self, f"{direction}_status")
        return override or ("green" if self.online else "red")


@dataclass
class NexHealthState:
    """Fields of rows that begin with ``_`` are the sandbox's own and never leave it through the API."""

    synced_copy: Store
    """NexHealth's objects under NexHealth's ids: what every API read is answered from."""
    offices: Offices
    clock: Clock
    faults: Faults
    switches: Switches = field(default_factory=Switches)
    links: dict[int, OfficeLink] = field(default_factory=dict)
    """By location id."""
    readings: deque[Row] = field(default_factory=lambda: deque(maxlen=MAX_READINGS))
    """When a read cycle read an office (``cycle``), and when a client read the copy (``list``, ``item``)."""

    def record_reading(self, what: str, row_id: int) -> None:
        self.readings.append({"at": self.clock.timestamp(), "what": what, "id": row_id})

    def link_offices(self) -> None:
        """Link every location to the practice system that the seed names for it."""
        now = self.clock.now()
        locations = self.synced_copy.all("locations")
        self.links = {row["id"]: OfficeLink(SYSTEMS[row["_system"]], now, now) for row in locations}

    def next_fault(self, system: str, method: str, path: str, body: str) -> Fault | None:
        """The scripted fault for a write at an ``office`` or a delivery by ``webhook``, if one is due."""
        return self.faults.next_for(VendorCall(system, method, path, "", body.encode()))

    def get(self, kind: str, row_id: Any, institution: Row | None = None) -> Row:
        """Raises ErrorResponse 404 for an unknown id, and for one of another institution."""
        row = self.synced_copy.get(kind, str(row_id))
        if row is None or (institution is not None and row.get("institution_id") not in (None, institution["id"])):
            raise not_found(kind.removesuffix("s").replace("_", " ").capitalize())
        return row

    def get_institution(self, subdomain: str) -> Row:
        """Raises ErrorResponse 403 for an institution that the API key cannot reach."""
        for row in self.synced_copy.all("institutions"):
            if row["subdomain"] == subdomain and not row["_foreign"]:
                return row
        raise api_error(403, NO_ACCESS)

    def get_location(self, row_id: int, institution: Row) -> Row:
        """Raises ErrorResponse 403 for a location of another institution."""
        row = self.synced_copy.get("locations", str(row_id))
        if row is None or row["institution_id"] != institution["id"]:
            raise api_error(403, NO_ACCESS)
        return row

    def add(self, kind: str, row: Row) -> Row:
        now = self.clock.timestamp()
        return self.synced_copy.put(
            kind, {"id": self.synced_copy.next_id(), "created_at": now, "updated_at": now, **row}
        )

    def update(self, kind: str, row: Row, **changes: Any) -> Row:
        """Save the row with these changes and a new ``updated_at``."""
        return self.synced_copy.put(kind, {**row, **changes, "updated_at": self.clock.timestamp()})
