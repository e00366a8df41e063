"""The day of every location, operatories across and time down, as the sandbox's calendars hold it."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table

from demo.world import HELD, Closed, Place, Visit, World

STEP = timedelta(minutes=30)


def picture(console: Console, world: World, day: date) -> None:
    for place in world.places:
        console.print(_location(world, place, day))


def _location(world: World, place: Place, day: date) -> Table:
    zone = ZoneInfo(place.zone)
    table = Table(title=f"{place.name}, {day:%A %d %B} ({zone.key})", title_justify="left", padding=(0, 1))
    table.add_column("", style="dim")
    for label in place.operatories.values():
        table.add_column(label, min_width=20)
    begin = datetime(day.year, day.month, day.day, 8, tzinfo=zone)
    for number in range(18):
        moment = begin + number * STEP
        table.add_row(f"{moment:%H:%M}", *(_cell(world, place, chair, moment) for chair in place.operatories))
    return table


def _cell(world: World, place: Place, chair: str, moment: datetime) -> str:
    for block in world.closed:
        if block.location == place.id and block.operatory in (None, chair) and _covers(block, moment):
            return f"[dim]░░ {block.title}[/]"
    for visit in world.visits:
        if (visit.location, visit.operatory) != (place.id, chair) or not _covers(visit, moment):
            continue
        if visit.reference is None:
            return _part(visit, moment, "white on grey30", "by phone")
        if visit.state == HELD:
            return _part(visit, moment, "black on yellow3", f"{visit.title} held")
        return _part(visit, moment, "black on green3", f"{visit.title} confirmed")
    return ""


def _part(visit: Visit, moment: datetime, style: str, text: str) -> str:
    return f"[{style}] {text if visit.start >= moment else '':<18} [/]"


def _covers(taken: Visit | Closed, moment: datetime) -> bool:
    return taken.start < moment + STEP and moment < taken.end
