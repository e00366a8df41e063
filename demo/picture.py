"""The day of every location, operatories across and time down, as the sandbox's calendar holds it."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table

from demo.world import REFERENCE, Row, World

STEP = timedelta(minutes=30)


def picture(console: Console, world: World, day: date) -> None:
    for place in world.state["locations"]:
        console.print(_location(world, place, day))


def _location(world: World, place: Row, day: date) -> Table:
    zone = ZoneInfo(place["timeZone"])
    chairs = [row for row in world.state["operatories"] if row["location"]["id"] == place["id"]]
    table = Table(title=f"{place['name']}, {day:%A %d %B} ({zone.key})", title_justify="left", padding=(0, 1))
    table.add_column("", style="dim")
    for chair in chairs:
        table.add_column(chair["shortName"], min_width=20)
    begin = datetime(day.year, day.month, day.day, 8, tzinfo=zone)
    for number in range(18):
        moment = begin + number * STEP
        table.add_row(f"{moment:%H:%M}", *(_cell(world, chair, moment) for chair in chairs))
    return table


def _cell(world: World, chair: Row, moment: datetime) -> str:
    for block in world.state["events"]:
        here = block["location"]["id"] == chair["location"]["id"]
        if here and (block.get("operatory") or chair)["id"] == chair["id"] and _covers(block, moment):
            return f"[dim]░░ {block['title']}[/]"
    for visit in world.visits:
        if visit["operatory"]["id"] != chair["id"] or not _covers(visit, moment):
            continue
        if REFERENCE.search(visit.get("note") or "") is None:
            return _part(visit, moment, "white on grey30", "by phone")
        if visit["status"] == "UNCONFIRMED":
            return _part(visit, moment, "black on yellow3", f"{visit['title']} held")
        return _part(visit, moment, "black on green3", f"{visit['title']} confirmed")
    return ""


def _part(visit: Row, moment: datetime, style: str, text: str) -> str:
    first = datetime.fromisoformat(visit["start"]) >= moment
    return f"[{style}] {text if first else '':<18} [/]"


def _covers(row: Row, moment: datetime) -> bool:
    return datetime.fromisoformat(row["start"]) < moment + STEP and moment < datetime.fromisoformat(row["end"])
