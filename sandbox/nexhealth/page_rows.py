"""The offices' calendars as rows in Ascend's shape, for the sandbox's web page."""

from sandbox.nexhealth.service import NexHealth
from sandbox.nexhealth.state import OfficeLink
from sandbox.store import Row


def calendar_rows(nexhealth: NexHealth) -> Row:
    """``locations``, ``operatories``, ``providers``, ``appointments`` and ``events``."""
    office_rows = nexhealth.state.offices.store.all("appointments")
    return {
        "locations": [
            {"id": row["id"], "name": _location_title(row, link), "timeZone": row["tz"]}
            for row in nexhealth.state.synced_copy.all("locations")
            if (link := nexhealth.state.links.get(row["id"])) is not None
        ],
        "operatories": [
            {"id": row["id"], "shortName": row["name"], "location": {"id": row["location_id"]}}
            for row in nexhealth.state.synced_copy.all("operatories")
        ],
        "providers": [
            {"id": row["id"], "shortName": row["last_name"]} for row in nexhealth.state.synced_copy.all("providers")
        ],
        "appointments": [_appointment_row(row) for row in office_rows if row["block"] is None],
        "events": [_block_row(row) for row in office_rows if row["block"] is not None and not row["cancelled"]],
    }


def queued_write_rows(nexhealth: NexHealth) -> list[Row]:
    """The writes that NexHealth accepted and has not yet written at the office."""
    rows = []
    for write in nexhealth.state.synced_copy.all("queue"):
        appointment = nexhealth.state.get("appointments", write["appointment"])
        location = nexhealth.state.get("locations", write["location"])
        rows.append({"office": location["name"], "what": write["operation"], "start": appointment["start_time"]})
    return rows


def _location_title(row: Row, link: OfficeLink) -> str:
    offline = "" if link.status("write") == "green" else " (offline)"
    return f"{row['name']}: {link.system.display}{offline}"


def _appointment_row(row: Row) -> Row:
    return {
        "start": row["start"],
        "end": row["end"],
        "operatory": {"id": row["operatory"]},
        "provider": {"id": row["provider"]},
        "status": _ascend_status(row),
        "title": row["title"],
        "note": row["note"],
    }


def _ascend_status(row: Row) -> str:
    if row["cancelled"]:
        return "BROKEN"
    if row["missed"]:
        return "NO_SHOW"
    return "CONFIRMED" if row["confirmed"] else "UNCONFIRMED"


def _block_row(row: Row) -> Row:
    return {
        "start": row["start"],
        "end": row["end"],
        "location": {"id": row["location"]},
        "operatory": None if row["operatory"] is None else {"id": row["operatory"]},
        "title": row["title"],
    }
