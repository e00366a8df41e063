"""What the rows of every practice system have in common."""

from datetime import UTC, datetime
from typing import Any

from adapters.errors import Refused, Unavailable
from domain.calendar import Appointment


def when(text: Any) -> datetime:
    """An instant; one without an offset is in UTC. Raises Unavailable."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        raise Unavailable("a row with an unreadable time") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def check_ours(seen: Appointment, reference: str) -> None:
    """Raises Refused where an appointment is no longer ours, or broken."""
    if seen.reference != reference:
        raise Refused("the appointment no longer carries our reference", code="reference_gone")
    if not seen.status.occupies_chair:
        raise Refused("the appointment was broken", code="broken")
