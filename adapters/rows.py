"""What the rows of every practice system have in common."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any

from adapters.errors import Refused, Unreadable
from domain.calendar import Appointment, Block
from domain.interval import Interval


def when(row: Mapping[str, Any], field: str) -> datetime:
    """An instant; one without an offset is in UTC. Raises Unreadable."""
    try:
        found = datetime.fromisoformat(str(row.get(field)))
    except ValueError:
        raise Unreadable(field) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def date_or_none(text: Any) -> date | None:
    """The day with which a date or an instant begins."""
    try:
        return date.fromisoformat(str(text)[:10])
    except ValueError:
        return None


def closed(time: Interval, operatory: str | None, provider: str | None) -> Iterator[Block]:
    """A chair that is closed is closed to everybody, and a provider who is away is away from every chair."""
    if operatory is not None:
        yield Block(time=time, operatory=operatory)
    if provider is not None or operatory is None:
        yield Block(time=time, provider=provider)


def check_ours(seen: Appointment, reference: str) -> None:
    """Raises Refused where an appointment is no longer ours, or broken."""
    if seen.reference != reference:
        raise Refused("the appointment no longer carries our reference", code="reference_gone")
    if not seen.status.occupies_time:
        raise Refused("the appointment was broken", code="broken")
