"""Arguments and options that several commands share."""

from datetime import datetime
from typing import Annotated

import typer


def parse_instant(text: str) -> datetime:
    """A date and time with UTC offset. Raises BadParameter."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("must be a date and time such as 2026-12-01T09:00:00-08:00") from None
    if instant.tzinfo is None:
        raise typer.BadParameter("needs a UTC offset, as in 2026-12-01T09:00:00-08:00")
    return instant


JsonOutput = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]
BookingId = Annotated[str, typer.Argument(help="Request id, with or without the prefix 'booking-'.")]
LocationFilter = Annotated[str | None, typer.Option(help="Only bookings at this location.")]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="Maximum rows, soonest first.")]
