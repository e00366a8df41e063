"""Helpers to read the rows that practice systems return."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any

from adapters.errors import Refused, Unreadable
from domain.calendar import Appointment, Block
from domain.interval import Interval
from domain.ownership import Owner, owner_for_change


def parse_instant(row: Mapping[str, Any], field: str) -> datetime:
    """The instant in a row's field; UTC when it has no offset. Raises Unreadable."""
    try:
        instant = datetime.fromisoformat(str(row.get(field)))
    except ValueError:
        raise Unreadable(field) from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def parse_date(text: Any) -> date | None:
    """The date at the start of a date or timestamp; ``None`` when there is none."""
    try:
        return date.fromisoformat(str(text)[:10])
    except ValueError:
        return None


def blocks_for_closure(time: Interval, operatory: str | None, provider: str | None) -> Iterator[Block]:
    """The blocks that one closure means.

    A closed operatory is closed to every provider, and an absent provider is absent from every operatory.
    """
    if operatory is not None:
        yield Block(time=time, operatory=operatory)
    if provider is not None or operatory is None:
        yield Block(time=time, provider=provider)


def check_still_ours(appointment: Appointment, reference: str) -> None:
    """Raises Refused if the appointment no longer carries our reference, or was broken."""
    owner = owner_for_change(appointment, reference)
    if owner is Owner.DESK:
        raise Refused("the appointment no longer carries our reference", code="reference_gone")
    if owner is Owner.NOBODY:
        raise Refused("the appointment was broken", code="broken")
