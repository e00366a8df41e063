"""The sandbox's web page: one day of every location's calendar, and the messages that were sent."""

import re
from datetime import date, datetime, time, timedelta
from html import escape
from zoneinfo import ZoneInfo

from sandbox.store import Row

HOLDFAST_REFERENCE = re.compile(r"\bbk_[a-z2-7]{26}\b")
FIRST_HOUR, LAST_HOUR, PIXELS_PER_HOUR = 7, 19, 56

STYLE = """
body { font: 14px/1.4 system-ui, sans-serif; margin: 24px; color: #1d2733; background: #f6f7f9 }
h1 { font-size: 20px } h2 { font-size: 16px; margin: 28px 0 8px } nav a { margin-right: 12px }
.day { display: flex; background: #fff; border: 1px solid #d9dee5; border-radius: 8px; overflow: hidden }
.hours { width: 52px; flex: none } .operatory { flex: 1; border-left: 1px solid #e6eaef; min-width: 150px }
.head { height: 28px; line-height: 28px; text-align: center; font-weight: 600; border-bottom: 1px solid #d9dee5 }
.body { position: relative } .hour { position: absolute; width: 100%; border-top: 1px solid #eef1f4; font-size: 11px;
color: #7a8594; padding-left: 4px; box-sizing: border-box }
.appointment { position: absolute; left: 3px; right: 3px; border-radius: 4px; padding: 1px 6px; font-size: 12px;
overflow: hidden; box-sizing: border-box; border-left: 4px solid #8a94a3; background: #e8ebef }
.hold, .key .hold { background: #fff3d6; border-color: #e0a100 }
.confirmed, .key .confirmed { background: #dcf5e4; border-color: #1f9d55 }
.block { border-color: #aab;
background: repeating-linear-gradient(45deg, #eceff3, #eceff3 6px, #dfe4ea 6px, #dfe4ea 12px) }
table { border-collapse: collapse; background: #fff }
td, th { border: 1px solid #e1e5ea; padding: 4px 8px; text-align: left }
.key span { padding: 2px 10px; border-radius: 4px; margin-right: 8px;
border-left: 4px solid #8a94a3; background: #e8ebef }
"""
KEY = (
    '<p class="key"><span>Booked by the front desk</span><span class="hold">Held by Holdfast</span>'
    '<span class="confirmed">Confirmed by Holdfast</span></p>'
)


def render_page(rows: Row, queued_writes: list[Row], day: date | None) -> str:
    """The whole page as HTML.

    ``rows`` are lists of Ascend-style rows by kind. ``queued_writes`` are the writes that NexHealth accepted and has
    not yet written at the office. Without a day, the page shows the one with the most appointments.
    """
    day = day or _busiest_day(rows)
    day_links = "".join(
        f'<a href="/?date={day + timedelta(days=n)}">{_short_date(day + timedelta(days=n))}</a>' for n in (-1, 0, 1)
    )
    calendars = "".join(_location_calendar(rows, location, day) for location in rows["locations"])
    queue = _table("Accepted, but not yet written at the office", ["office", "what", "start"], queued_writes)
    emails = _table("Emails", ["to", "subject", "text"], rows["emails"])
    texts = _table("Text messages", ["to", "body"], rows["texts"])
    return (
        f"<!doctype html><meta charset=utf-8><title>Holdfast sandbox</title><style>{STYLE}</style>"
        f"<h1>Sandbox practices, {day:%A, %B} {day.day}, {day.year}</h1>"
        f"<nav>{day_links}</nav>{KEY}{calendars}{queue}{emails}{texts}"
    )


def _short_date(day: date) -> str:
    return f"{day:%a, %b} {day.day}"


def _busiest_day(rows: Row) -> date:
    days = [row["start"][:10] for row in rows["appointments"]]
    return date.fromisoformat(max(set(days), key=days.count)) if days else datetime.now().astimezone().date()


def _location_calendar(rows: Row, location: Row, day: date) -> str:
    zone = ZoneInfo(location["timeZone"])
    hour_labels = "".join(
        f'<div class="hour" style="top:{(hour - FIRST_HOUR) * PIXELS_PER_HOUR}px">{hour:02}:00</div>'
        for hour in range(FIRST_HOUR, LAST_HOUR)
    )
    hour_lines = re.sub(r"\d\d:00<", "<", hour_labels)
    height = (LAST_HOUR - FIRST_HOUR) * PIXELS_PER_HOUR
    columns = [
        f'<div class="hours"><div class="head"></div>'
        f'<div class="body" style="height:{height}px">{hour_labels}</div></div>'
    ]
    for operatory in (row for row in rows["operatories"] if row["location"]["id"] == location["id"]):
        boxes = "".join(_block_boxes(rows, operatory, zone, day) + _appointment_boxes(rows, operatory, zone, day))
        columns.append(
            f'<div class="operatory"><div class="head">{escape(operatory["shortName"])}</div>'
            f'<div class="body" style="height:{height}px">{hour_lines}{boxes}</div></div>'
        )
    title = f"{escape(location['name'])} <small>({zone.key})</small>"
    return f'<h2>{title}</h2><div class="day">{"".join(columns)}</div>'


def _block_boxes(rows: Row, operatory: Row, zone: ZoneInfo, day: date) -> list[str]:
    """Blocked time of the operatory, or of its whole location. Time off of one provider is not shown."""
    boxes = []
    for event in rows["events"]:
        same_location = (event.get("location") or operatory["location"])["id"] == operatory["location"]["id"]
        same_operatory = (event.get("operatory") or operatory)["id"] == operatory["id"]
        if same_location and same_operatory and not event.get("provider"):
            boxes.append(_box(event, zone, day, "appointment block", event["title"]))
    return boxes


def _appointment_boxes(rows: Row, operatory: Row, zone: ZoneInfo, day: date) -> list[str]:
    providers = {row["id"]: row["shortName"] for row in rows["providers"]}
    boxes = []
    for row in rows["appointments"]:
        if (row["operatory"] or {}).get("id") != operatory["id"] or row["status"] in ("BROKEN", "NO_SHOW"):
            continue
        provider = providers.get((row["provider"] or {}).get("id"), "")
        boxes.append(_box(row, zone, day, _appointment_css(row), f"{row['title']} · {provider}"))
    return boxes


def _appointment_css(row: Row) -> str:
    if not HOLDFAST_REFERENCE.search(row.get("note") or ""):
        return "appointment"
    return "appointment hold" if row["status"] == "UNCONFIRMED" else "appointment confirmed"


def _box(row: Row, zone: ZoneInfo, day: date, css: str, text: str) -> str:
    """A box at its place in the column; empty for another day."""
    start, end = (datetime.fromisoformat(row[name]).astimezone(zone) for name in ("start", "end"))
    if start.date() != day:
        return ""
    top = (start - datetime.combine(day, time(FIRST_HOUR), zone)) / timedelta(hours=1) * PIXELS_PER_HOUR
    height = (end - start) / timedelta(hours=1) * PIXELS_PER_HOUR
    return f'<div class="{css}" style="top:{top:.0f}px;height:{height - 2:.0f}px">{start:%H:%M} {escape(text)}</div>'


def _table(title: str, columns: list[str], rows: list[Row]) -> str:
    head = "".join(f"<th>{column.capitalize()}</th>" for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(row[c]))}</td>" for c in columns) + "</tr>" for row in rows)
    return f"<h2>{title} ({len(rows)})</h2><table><tr>{head}</tr>{body}</table>"
