"""What NexHealth delivers to our webhook: whether NexHealth really signed it, and which events it holds."""

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.json_text import parse_json
from adapters.rows import readable_id
from domain.calendar import CalendarEvent, EventKind, LandingState, OfficeOnline
from domain.reference import reference_in

OFFICE_ONLINE_EVENT = "sync_status_write_change"
"""Sent when an office accepts writes again. NexHealth sends nothing when an office goes offline."""
SUBSCRIPTIONS = (
    ("Appointment", "appointment_insertion"),
    ("Appointment", "appointment_updated"),
    ("SyncStatus", OFFICE_ONLINE_EVENT),
)
"""(resource, event) that we subscribe to. A delivery adds the outcome to the name: ``appointment_insertion.failed``."""
ENCODED_LINE_LENGTH = 60
"""Characters in a line of base64, as Ruby's usual function writes it."""
MAX_DELIVERY_AGE = timedelta(days=3)
"""NexHealth repeats a delivery for 48 hours. It does not say whether it signs a repetition with the first timestamp."""
MAX_CLOCK_DIFFERENCE = timedelta(minutes=5)
"""How far a timestamp may lie in the future."""
MAX_ROWS = 1000
"""Appointments in one delivery."""

_EVENT_KINDS: dict[str, tuple[EventKind, LandingState | None]] = {
    "appointment_insertion.complete": (EventKind.LANDING, LandingState.LANDED),
    "appointment_insertion.failed": (EventKind.LANDING, LandingState.REFUSED),
    "appointment_insertion.timed_out": (EventKind.LANDING, LandingState.TIMED_OUT),
    "appointment_insertion.incomplete": (EventKind.LANDING, LandingState.INCOMPLETE),
    "appointment_updated": (EventKind.CHANGED, None),
    "appointment_updated.complete": (EventKind.CHANGED, None),
    "appointment_updated.failed": (EventKind.CHANGE_FAILED, None),
    "appointment_updated.timed_out": (EventKind.CHANGE_FAILED, None),
    "appointment_updated.incomplete": (EventKind.CHANGE_FAILED, None),
    "appointment_created": (EventKind.CREATED, None),
}


class UnreadableDelivery(ValueError):
    """The body is not what NexHealth documents."""


def has_valid_signature(raw: bytes, timestamp: str, signature: str, secrets: Sequence[str]) -> bool:
    """Whether one of the secrets signed exactly these bytes at this timestamp.

    NexHealth signs the timestamp, a dot, and the body in base64. It does not say whether base64 of a long body is
    broken into lines, as Ruby's usual function does. We accept both: each proves the same.
    """
    encoded = base64.b64encode(raw)
    in_lines = b"".join(
        encoded[i : i + ENCODED_LINE_LENGTH] + b"\n" for i in range(0, len(encoded), ENCODED_LINE_LENGTH)
    )
    received = signature.strip().lower().encode()
    matches = [  # a list, so that every comparison runs and timing reveals nothing
        hmac.compare_digest(_signature(secret, timestamp, text), received)
        for secret in secrets
        for text in (encoded, in_lines)
    ]
    return any(matches)


def is_recent(timestamp: str, now: datetime) -> bool:
    """Whether a delivery with this signed timestamp may still be real, rather than somebody's copy of an old one.

    Shorter than the ledger remembers events, so a copy is either too old or known.
    """
    try:
        signed_at = datetime.fromisoformat(timestamp)
        age = now - (signed_at if signed_at.tzinfo else signed_at.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return False
    return -MAX_CLOCK_DIFFERENCE <= age <= MAX_DELIVERY_AGE


def _signature(secret: str, timestamp: str, text: bytes) -> bytes:
    return hmac.new(secret.encode(), timestamp.encode() + b"." + text, hashlib.sha256).hexdigest().encode()


def parse_events(raw: bytes) -> tuple[CalendarEvent | OfficeOnline, ...]:
    """The events in a delivery. A kind that we do not use gives none, even if its content is unreadable.

    Raises UnreadableDelivery if the kind is one that we use.
    """
    try:
        body = parse_json(raw)
        name = str(body["event_name"])
        if name == OFFICE_ONLINE_EVENT:
            return _office_online(str(body["subdomain"]), body.get("data"), raw)
        if name not in _EVENT_KINDS:
            return ()
        account, data = str(body["subdomain"]), body["data"]
        rows = [data["appointment"]] if "appointment" in data else data["appointments"]
        if len(rows) > MAX_ROWS:
            raise UnreadableDelivery("a delivery with too many rows")
        return tuple(_calendar_event(name, account, row, raw) for row in rows)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UnreadableDelivery("a delivery that cannot be read") from None


def _office_online(account: str, data: Any, raw: bytes) -> tuple[OfficeOnline, ...]:
    """NexHealth does not document the shape of ``data``. If it names no locations, any may be meant."""
    for wrapper in ("sync_status", "sync_statuses"):
        data = data.get(wrapper, data) if isinstance(data, dict) else data
    sources = [row for row in (data if isinstance(data, list) else [data]) if isinstance(row, dict)]
    online_sources = [row for row in sources if row.get("write_status") != "red"]
    if sources and not online_sources:
        return ()
    locations = [readable_id(location["id"]) for row in online_sources for location in row.get("locations") or ()]
    known = tuple(location for location in locations if location is not None) if None not in locations else ()
    return (OfficeOnline(account=account, locations=known, key=hashlib.sha256(raw).hexdigest()),)


def _calendar_event(name: str, account: str, row: dict[str, Any], raw: bytes) -> CalendarEvent:
    """The key recognizes a repeated delivery: NexHealth documents no id of the event."""
    kind, landing = _EVENT_KINDS[name]
    appointment_id = _row_id(row)
    version = str(row.get("updated_at") or hashlib.sha256(raw).hexdigest())
    note, referrer = row.get("note"), row.get("referrer")
    reference = reference_in(note) or reference_in(referrer)
    return CalendarEvent(
        kind=kind,
        account=account,
        appointment_id=appointment_id,
        reference=reference,
        is_foreign=reference is None and all(isinstance(mark, str) and mark for mark in (note, referrer)),
        landing=landing,
        key=hashlib.sha256(f"{name}|{appointment_id}|{version}".encode()).hexdigest(),
    )


def _row_id(row: dict[str, Any]) -> str:
    """Raises ValueError. Ids are whole numbers; Python would also read 1.5, true and 1e999 as one, or fail on them."""
    text = str(row["id"])
    if re.fullmatch(r"[0-9]{1,18}", text) is None:
        raise ValueError("not an id")
    return str(int(text))
