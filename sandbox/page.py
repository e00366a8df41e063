"""A plain page that shows a day of every location, and what was sent."""

import re
from datetime import date, datetime, time, timedelta
from html import escape
from zoneinfo import ZoneInfo

from sandbox.store import Row

OURS = re.compile(r"\bbk_[a-z2-7]{26}\b")
FIRST_HOUR, LAST_HOUR, PIXELS_AN_HOUR = 7, 19, 56

STYLE = """
body { font: 14px/1.4 system-ui, sans-serif; margin: 24px; color: #1d2733; background: #f6f7f9 }
h1 { font-size: 20px } h2 { font-size: 16px; margin: 28px 0 8px } nav a { margin-right: 12px }
.day { display: flex; background: #fff; border: 1px solid #d9dee5; border-radius: 8px; overflow: hidden }
.hours { width: 52px; flex: none } .chair { flex: 1; border-left: 1px solid #e6eaef; min-width: 150px }
.head { height: 28px; line-height: 28px; text-align: center; font-weight: 600; border-bottom: 1px solid #d9dee5 }
.body { position: relative } .hour { position: absolute; width: 100%; border-top: 1px solid #eef1f4; font-size: 11px;
color: #7a8594; padding-left: 4px; box-sizing: border-box }
.visit { position: absolute; left: 3px; right: 3px; border-radius: 4px; padding: 1px 6px; font-size: 12px;
overflow: hidden; box-sizing: border-box; border-left: 4px solid #8a94a3; background: #e8ebef }
.hold, .key .hold { background: #fff3d6; border-color: #e0a100 } .confirmed, .key .confirmed { background: #dcf5e4; border-color: #1f9d55 }
.block { background: repeating-linear-gradient(45deg, #eceff3, #eceff3 6px, #dfe4ea 6px, #dfe4ea 12px); border-color: #aab }
table { border-collapse: collapse; background: #fff } td, th { border: 1px solid #e1e5ea; padding: 4px 8px; text-align: left }
.key span { padding: 2px 10px; border-radius: 4px; margin-right: 8px; border-left: 4px solid #8a94a3; background: #e8ebef }
"""


def page(state: Row, waiting: list[Row], day_text: str | None) -> str:
    """``waiting``: what NexHealth accepted and has not yet written."""
    day = date.fromisoformat(day_text) if day_text else _busiest_day(state)
    around = "".join(
        f'<a href="/?date={day + timedelta(days=n)}">{day + timedelta(days=n):%a %d %b}</a>' for n in (-1, 0, 1)
    )
    places = "".join(_location(state, place, day) for place in state["locations"])
    key = '<p class="key"><span>desk</span><span class="hold">our hold</span><span class="confirmed">ours, confirmed</span></p>'
    queued = _table("Not yet written at the office", ["office", "what", "start"], waiting)
    emails = _table("Emails", ["to", "subject", "text"], state["emails"])
    texts = _table("Texts", ["to", "body"], state["texts"])
    return (
        f"<!doctype html><meta charset=utf-8><title>Sandbox</title><style>{STYLE}</style>"
        f"<h1>Sandbox practice, {day:%A %d %B %Y}</h1><nav>{around}</nav>{key}{places}{queued}{emails}{texts}"
    )


def _busiest_day(state: Row) -> date:
    days = [row["start"][:10] for row in state["appointments"]]
    return date.fromisoformat(max(set(days), key=days.count)) if days else datetime.now().astimezone().date()


def _location(state: Row, place: Row, day: date) -> str:
    zone = ZoneInfo(place["timeZone"])
    hours = "".join(
        f'<div class="hour" style="top:{(h - FIRST_HOUR) * PIXELS_AN_HOUR}px">{h:02}:00</div>'
        for h in range(FIRST_HOUR, LAST_HOUR)
    )
    grid = re.sub(r"\d\d:00<", "<", hours)
    height = (LAST_HOUR - FIRST_HOUR) * PIXELS_AN_HOUR
    columns = [
        f'<div class="hours"><div class="head"></div><div class="body" style="height:{height}px">{hours}</div></div>'
    ]
    for chair in (row for row in state["operatories"] if row["location"]["id"] == place["id"]):
        boxes = "".join(_boxes(state, chair, zone, day))
        columns.append(
            f'<div class="chair"><div class="head">{escape(chair["shortName"])}</div>'
            f'<div class="body" style="height:{height}px">{grid}{boxes}</div></div>'
        )
    return f'<h2>{escape(place["name"])} <small>({zone.key})</small></h2><div class="day">{"".join(columns)}</div>'


def _boxes(state: Row, chair: Row, zone: ZoneInfo, day: date) -> list[str]:
    found = []
    for event in state["events"]:
        here = (event.get("location") or chair["location"])["id"] == chair["location"]["id"]
        if here and not event.get("provider") and (event.get("operatory") or chair)["id"] == chair["id"]:
            found.append(_box(event, zone, day, "visit block", event["title"]))
    providers = {row["id"]: row["shortName"] for row in state["providers"]}
    for row in state["appointments"]:
        if (row["operatory"] or {}).get("id") == chair["id"] and row["status"] not in ("BROKEN", "NO_SHOW"):
            ours = OURS.search(row.get("note") or "")
            kind = "" if not ours else " hold" if row["status"] == "UNCONFIRMED" else " confirmed"
            who = providers.get((row["provider"] or {}).get("id"), "")
            found.append(_box(row, zone, day, f"visit{kind}", f"{row['title']} · {who}"))
    return [box for box in found if box]


def _box(row: Row, zone: ZoneInfo, day: date, css: str, text: str) -> str:
    start, end = (datetime.fromisoformat(row[name]).astimezone(zone) for name in ("start", "end"))
    if start.date() != day:
        return ""
    top = (start - datetime.combine(day, time(FIRST_HOUR), zone)) / timedelta(hours=1) * PIXELS_AN_HOUR
    height = (end - start) / timedelta(hours=1) * PIXELS_AN_HOUR
    return f'<div class="{css}" style="top:{top:.0f}px;height:{height - 2:.0f}px">{start:%H:%M} {escape(text)}</div>'


def _table(title: str, columns: list[str], rows: list[Row]) -> str:
    head = "".join(f"<th>{column}</th>" for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(row[c]))}</td>" for c in columns) + "</tr>" for row in rows)
    return f"<h2>{title} ({len(rows)})</h2><table><tr>{head}</tr>{body}</table>"
