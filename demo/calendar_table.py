"""Prints one day of every location's calendar as a table: operatories across, time down."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from demo.snapshot import HELD, CalendarAppointment, CalendarBlock, CalendarLocation, Snapshot

FIRST_HOUR, ROWS = 8, 18
ROW_LENGTH = timedelta(minutes=30)
CELL_WIDTH = 20
"""With this, three operatories fit into 80 columns."""
LEGEND = "✓ confirmed by Holdfast · held: waiting for staff · gray: booked by phone"


def print_calendars(console: Console, snapshot: Snapshot, day: date) -> None:
    for location in snapshot.locations:
        console.print(_calendar(snapshot, location, day))
    console.print(f"[dim]{LEGEND}[/]\n")


def _calendar(snapshot: Snapshot, location: CalendarLocation, day: date) -> Table:
    zone = ZoneInfo(location.time_zone)
    title = f"{location.name}, {day:%A, %B} {day.day} ({zone.key})"
    table = Table(title=title, title_justify="left", padding=(0, 1))
    table.add_column("", style="dim")
    for label in location.operatories.values():
        table.add_column(label, min_width=CELL_WIDTH, no_wrap=True)
    first_row = datetime(day.year, day.month, day.day, FIRST_HOUR, tzinfo=zone)
    for number in range(ROWS):
        time = first_row + number * ROW_LENGTH
        cells = (_cell(snapshot, location, operatory, time) for operatory in location.operatories)
        table.add_row(f"{time:%H:%M}", *cells)
    return table


def _cell(snapshot: Snapshot, location: CalendarLocation, operatory: str, time: datetime) -> str:
    for block in snapshot.blocks:
        if block.location == location.id and block.operatory in (None, operatory) and _covers(block, time):
            return f"[dim]░░ {escape(block.title[: CELL_WIDTH - 3])}[/]"
    for appointment in snapshot.appointments:
        if (appointment.location, appointment.operatory) == (location.id, operatory) and _covers(appointment, time):
            return _appointment_cell(appointment, time)
    return ""


def _appointment_cell(appointment: CalendarAppointment, time: datetime) -> str:
    """A colored cell. Only the first row of an appointment has a text."""
    if appointment.reference is None:
        style, text = "white on grey30", "booked by phone"
    elif appointment.state == HELD:
        style, text = "black on yellow3", f"held: {appointment.title}"
    else:
        style, text = "black on green3", f"✓ {appointment.title}"
    shown = text[: CELL_WIDTH - 2] if appointment.start >= time else ""
    return f"[{style}] {escape(shown):<{CELL_WIDTH - 2}} [/]"


def _covers(entry: CalendarAppointment | CalendarBlock, time: datetime) -> bool:
    return entry.start < time + ROW_LENGTH and time < entry.end
