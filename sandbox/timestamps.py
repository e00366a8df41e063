"""Date and time texts as they stand in the vendors' rows."""

from datetime import UTC, datetime
from typing import Any


def current_timestamp() -> str:
    return format_timestamp(datetime.now(UTC))


def format_timestamp(moment: datetime) -> str:
    """UTC with milliseconds and ``Z``, as both vendors write every timestamp."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_timestamp(text: Any) -> datetime:
    """Read a date and time. Without an offset it counts as UTC. Raises ValueError."""
    moment = datetime.fromisoformat(str(text))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
