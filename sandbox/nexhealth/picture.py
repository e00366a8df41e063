"""The offices' calendars as the sandbox's page shows a practice."""

from sandbox.nexhealth.service import NexHealth
from sandbox.nexhealth.world import Line
from sandbox.store import Row


def calendar(nex: NexHealth) -> Row:
    """``locations``, ``operatories``, ``providers``, ``appointments`` and ``events`` in the page's own words."""
    visits = nex.world.offices.store.all("appointments")
    return {
        "locations": [
            {"id": row["id"], "name": f"{row['name']}: {line.system.display}{_away(line)}", "timeZone": row["tz"]}
            for row in nex.world.copy.all("locations")
            if (line := nex.world.lines.get(row["id"])) is not None
        ],
        "operatories": [
            {"id": row["id"], "shortName": row["name"], "location": {"id": row["location_id"]}}
            for row in nex.world.copy.all("operatories")
        ],
        "providers": [{"id": row["id"], "shortName": row["last_name"]} for row in nex.world.copy.all("providers")],
        "appointments": [_visit(row) for row in visits if row["block"] is None],
        "events": [_block(row) for row in visits if row["block"] is not None and not row["cancelled"]],
    }


def waiting(nex: NexHealth) -> list[Row]:
    """Accepted, and not yet written at the office."""
    rows = []
    for queued in nex.world.copy.all("queue"):
        row = nex.world.get("appointments", queued["appointment"])
        place = nex.world.get("locations", queued["location"])
        rows.append({"office": place["name"], "what": queued["operation"], "start": row["start_time"]})
    return rows


def _away(line: Line) -> str:
    return "" if line.status("write") == "green" else " (not connected)"


def _visit(row: Row) -> Row:
    gone = {"BROKEN": row["cancelled"], "NO_SHOW": row["missed"]}
    status = next((name for name, so in gone.items() if so), "CONFIRMED" if row["confirmed"] else "UNCONFIRMED")
    who = {"operatory": {"id": row["operatory"]}, "provider": {"id": row["provider"]}}
    times = {"start": row["start"], "end": row["end"]}
    return {**times, **who, "status": status, "title": row["title"], "note": row["note"]}


def _block(row: Row) -> Row:
    chair = None if row["operatory"] is None else {"id": row["operatory"]}
    times = {"start": row["start"], "end": row["end"]}
    return {**times, "location": {"id": row["location"]}, "operatory": chair, "title": row["title"]}
