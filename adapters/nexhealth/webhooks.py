"""What NexHealth tells us by itself: whether it is really NexHealth, and what it says."""

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Any

from domain.calendar import CalendarEvent, EventKind, LandingState, OfficeOnline
from domain.reference import reference_in

OFFICE_BACK = "sync_status_write_change"
"""Told when an office takes writes in again, never when it stops."""
SUBSCRIPTIONS = (
    ("Appointment", "appointment_insertion"),
    ("Appointment", "appointment_updated"),
    ("SyncStatus", OFFICE_BACK),
)
"""(resource, event) we want to be told of; the outcome is a suffix of the event's name when it is delivered."""

_NEWS: dict[str, tuple[EventKind, LandingState | None]] = {
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


class NotAnEvent(ValueError):
    """A body that NexHealth would not send."""


def is_signed(raw: bytes, timestamp: str, signature: str, secrets: Sequence[str]) -> bool:
    """Whether one of the secrets signed exactly these bytes.

    The vendor documents base64 without saying whether long bodies are broken into lines, as its language's usual
    function does: both forms prove the same.
    """
    encoded = base64.b64encode(raw)
    in_lines = b"".join(encoded[i : i + 60] + b"\n" for i in range(0, len(encoded), 60))
    given = signature.strip().lower().encode()
    matches = [
        hmac.compare_digest(_signature(secret, timestamp, text), given)
        for secret in secrets
        for text in (encoded, in_lines)
    ]
    return any(matches)


def _signature(secret: str, timestamp: str, text: bytes) -> bytes:
    return hmac.new(secret.encode(), timestamp.encode() + b"." + text, hashlib.sha256).hexdigest().encode()


def events(raw: bytes) -> tuple[CalendarEvent | OfficeOnline, ...]:
    """The news in a delivery; none where it is of a kind we have no use for, whatever else it holds.

    Raises NotAnEvent where it should be of use, and cannot be read.
    """
    try:
        body = json.loads(raw)
        name = str(body["event_name"])
        if name == OFFICE_BACK:
            return _office_back(str(body["subdomain"]), body.get("data"), raw)
        if name not in _NEWS:
            return ()
        account, data = str(body["subdomain"]), body["data"]
        rows = [data["appointment"]] if "appointment" in data else data["appointments"]
        return tuple(_event(name, account, row, raw) for row in rows)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise NotAnEvent("a delivery that cannot be read") from None


def _office_back(account: str, data: Any, raw: bytes) -> tuple[OfficeOnline, ...]:
    """What the data looks like is not documented: where no locations are found, it may be any."""
    for nested in ("sync_status", "sync_statuses"):
        data = data.get(nested, data) if isinstance(data, dict) else data
    sources = [row for row in (data if isinstance(data, list) else [data]) if isinstance(row, dict)]
    green = [row for row in sources if row.get("write_status") != "red"]
    if sources and not green:
        return ()
    named = [str(place["id"]) for row in green for place in row.get("locations") or ()]
    return (OfficeOnline(account=account, locations=tuple(named), key=hashlib.sha256(raw).hexdigest()),)


def _event(name: str, account: str, row: dict[str, Any], raw: bytes) -> CalendarEvent:
    kind, landing = _NEWS[name]
    appointment_id = str(int(row["id"]))
    stamp = str(row.get("updated_at") or hashlib.sha256(raw).hexdigest())
    return CalendarEvent(
        kind=kind,
        account=account,
        appointment_id=appointment_id,
        reference=reference_in(row.get("note")) or reference_in(row.get("referrer")),
        landing=landing,
        key=hashlib.sha256(f"{name}|{appointment_id}|{stamp}".encode()).hexdigest(),
    )
