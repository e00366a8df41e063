"""Read the rows that practice systems return: every field is a value of the expected kind, missing, or unreadable.

A vendor may send anything in any field. Nothing here raises anything but Unreadable, and no text is longer than the
field can sensibly be, so whatever works on it later stays fast.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from adapters.errors import Refused, Unreadable
from domain.calendar import Appointment, Block
from domain.interval import Interval
from domain.ownership import Owner, owner_for_change
from domain.reference import reference_in

Row = dict[str, Any]

MAX_ID_LENGTH = 40
MAX_NAME_LENGTH = 200
MAX_EMAIL_LENGTH = 320
MAX_PHONE_LENGTH = 60
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
"""Earlier instants are cut to this one. They are no dates, but what software writes for "not set"."""
LATEST = datetime(3000, 1, 1, tzinfo=UTC)
"""Later instants are cut to this one, so that adding days to them does not overflow."""


def as_row(value: Any) -> Row:
    """The value if it is a row, otherwise an empty row, in which everything is missing."""
    return value if isinstance(value, dict) else {}


def readable_id(value: Any, max_length: int = MAX_ID_LENGTH) -> str | None:
    """A vendor's id as text; ``None`` for anything that cannot be an id."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if abs(value) < 10**max_length else ""
    if not isinstance(value, str) or not 0 < len(value) <= max_length:
        return None
    return value if value.isascii() and all(c.isalnum() or c in "-_." for c in value) else None


def required_id(row: Mapping[str, Any]) -> str:
    """The row's own id. Raises Unreadable."""
    row_id = readable_id(row.get("id"))
    if row_id is None:
        raise Unreadable("id")
    return row_id


def optional_text(row: Mapping[str, Any], field: str, max_length: int) -> str | None:
    """The text in a field; ``None`` if it is missing or empty. Raises Unreadable."""
    value = row.get(field)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > max_length or not _is_encodable(value):
        raise Unreadable(field)
    return value


def _is_encodable(text: str) -> bool:
    """Whether the text has no half of a surrogate pair. JSON may hold one, but nothing can store it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def parse_instant(row: Mapping[str, Any], field: str) -> datetime:
    """The instant in a row's field, between EARLIEST and LATEST; UTC when it has no offset. Raises Unreadable."""
    value = row.get(field)
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        instant = None
    if instant is None:
        raise Unreadable(field)
    if instant.year <= EARLIEST.year:
        return EARLIEST
    if instant.year >= LATEST.year:
        return LATEST
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def parse_set_instant(row: Mapping[str, Any], field: str) -> datetime:
    """The same, but a field that is "not set" is Unreadable."""
    instant = parse_instant(row, field)
    if instant == EARLIEST:
        raise Unreadable(field)
    return instant


def readable_instant(row: Mapping[str, Any], field: str) -> datetime | None:
    try:
        return parse_set_instant(row, field)
    except Unreadable:
        return None


def parse_date(text: Any) -> date | None:
    """The date at the start of a date or timestamp; ``None`` when there is none."""
    try:
        return date.fromisoformat(text[:10]) if isinstance(text, str) else None
    except ValueError:
        return None


def row_key(row: Row) -> str:
    """The row's id, or a digest of the whole row if its id is unreadable."""
    return readable_id(row.get("id")) or hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()[:32]


def possible_time(start: datetime | None, end: datetime | None, read_span: Interval, longest: timedelta) -> Interval:
    """The time that a row may occupy whose own time is unreadable. It is a row of a reading of ``read_span``.

    An end before the start may be the real start.
    """
    if start is None:
        return read_span
    is_swapped = end is not None and start - longest <= end < start
    return Interval(start=end if is_swapped and end is not None else start, end=start + longest)


def blocks_for_closure(time: Interval, operatory: str | None, provider: str | None) -> Iterator[Block]:
    """The blocks that one closure means.

    A closed operatory is closed to every provider, and an absent provider is absent from every operatory.
    """
    if operatory is not None:
        yield Block(time=time, operatory=operatory)
    if provider is not None or operatory is None:
        yield Block(time=time, provider=provider)


def guesses(blocks: Iterable[Block]) -> list[Block]:
    """The blocks of an unreadable row."""
    return [block.model_copy(update={"is_guess": True}) for block in blocks]


def check_still_ours(appointment: Appointment, reference: str) -> None:
    """Raises Refused if the appointment no longer carries our reference, or was broken."""
    owner = owner_for_change(appointment, reference)
    if owner is Owner.DESK:
        raise Refused("the appointment no longer carries our reference", code="reference_gone")
    if owner is Owner.NOBODY:
        raise Refused("the appointment was broken", code="broken")


def check_ours_readable(rows: Iterable[Row], reference: str, parse: Callable[[Row], Appointment]) -> None:
    """Raises Unreadable if a row that carries our reference, or may carry it, cannot be read.

    Without this, a search would find nothing, and our appointment would be written twice.
    """
    for row in rows:
        marks = [row.get("note"), row.get("referrer")]
        are_marks_readable = bool(row) and all(mark is None or isinstance(mark, str) for mark in marks)
        if not are_marks_readable or reference in map(reference_in, marks):
            parse(row)
