"""Dates and times as the vendors' rows have them."""

from datetime import UTC, datetime
from typing import Any


def now_text() -> str:
    return instant_text(datetime.now(UTC))


def instant_text(instant: datetime) -> str:
    """UTC with milliseconds, as every timestamp is written."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def instant(text: Any) -> datetime:
    """A date and time with or without offset (then UTC). Raises ValueError."""
    found = datetime.fromisoformat(str(text))
    return found if found.tzinfo else found.replace(tzinfo=UTC)
