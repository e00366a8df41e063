"""Arguments and options that several commands share."""

from datetime import datetime
from typing import Annotated

import typer

from client import BadRequest, Session
from domain.local_time import from_wall_clock


class WrongUsage(typer.BadParameter):
    """Options that do not go together. Printed as it is, without Typer's "Invalid value" in front."""

    def format_message(self) -> str:
        return self.message


def parse_start(text: str) -> datetime:
    """A date and time. Without a UTC offset it is on the location's clock. Raises BadParameter."""
    try:
        start = datetime.fromisoformat(text)
    except ValueError:
        start = None
    if start is None or ":" not in text:
        raise typer.BadParameter("must be a date and time such as 2026-12-01T09:00")
    return start


async def start_at_location(session: Session, booking: str, start: datetime) -> datetime:
    """The instant that the option names where the booking is. Raises BadRequest."""
    if start.tzinfo is not None:
        return start
    location = session.practice.location((await session.desk.show(booking)).location)
    try:
        return from_wall_clock(start, location.tz)
    except ValueError as error:
        raise BadRequest([f"--start: {error}"]) from None


JsonOutput = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]
BookingId = Annotated[str, typer.Argument(help="Request id, with or without the prefix 'booking-'.")]
LocationFilter = Annotated[str | None, typer.Option(help="Only bookings at this location.")]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="Maximum rows, soonest first.")]
