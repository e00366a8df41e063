"""The control interface of NexHealth's side: the clock, the offices, the switches, and the offices' front desks."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sandbox.errors import coded_error
from sandbox.nexhealth.service import NexHealth
from sandbox.nexhealth.synchronizer import sync_status
from sandbox.nexhealth.systems import BLOCK_CAUSES, SYSTEMS
from sandbox.store import Row
from sandbox.timestamps import format_timestamp, parse_timestamp


def set_switches(nexhealth: NexHealth, body: Row) -> Row:
    switches = vars(nexhealth.state.switches)
    switches.update(_check_names(body, switches))
    return switches


async def set_clock(nexhealth: NexHealth, body: Row) -> Row:
    """``paused``: stop or start the clock. ``advance``: move it by seconds. Then do everything that is due.

    ``settle`` also runs every cycle once and sends its webhooks.
    """
    body = _check_names(body, {"paused": None, "advance": None, "settle": None})
    clock = nexhealth.state.clock
    if "paused" in body:
        clock.set_paused(body["paused"])
    clock.advance(body.get("advance", 0))
    nexhealth.synchronizer.run_due_cycles()
    await nexhealth.webhooks.send_due_deliveries()
    if body.get("settle"):
        await nexhealth.settle()
    return {"now": clock.timestamp(), "paused": clock.is_paused}


def set_office(nexhealth: NexHealth, body: Row) -> Row:
    """Change ``online``, ``read_status``, ``write_status`` or ``system``, single ``cells`` of what the system supports,
    or ``flags`` of the location.
    """
    location = nexhealth.state.get("locations", body.pop("id"))
    link = nexhealth.state.links[location["id"]]
    if "flags" in body:
        nexhealth.state.update("locations", location, **_check_names(body.pop("flags"), location))
    link.system = SYSTEMS[body.pop("system", link.system.name)]
    if "cells" in body:
        link.system = replace(link.system, **_check_names(body.pop("cells"), vars(link.system)))
    vars(link).update(_check_names(body, {"online": 0, "read_status": 0, "write_status": 0}))
    return sync_status(nexhealth.state, location)


def act_as_desk(nexhealth: NexHealth, action: Row) -> Row:
    """Do the action that ``do`` names. An action with a ``key`` happens only once; repeats get the row."""
    name, key = str(action.pop("do", "")), action.pop("key", None)
    if name not in _ACTIONS:
        raise coded_error(400, "unknown_action", "do")
    offices = nexhealth.state.offices
    for kind in ("appointments", "patients") if key is not None else ():
        for row in offices.store.all(kind):
            if key in row["keys"]:
                return row
    offices.author = "desk"
    try:
        row = _ACTIONS[name](nexhealth, action)
        if key is not None and name not in ("delete", "unblock", "set_provider", "set_operatory"):
            kind = "patients" if name in ("patient", "set_chart") else "appointments"
            row = offices.save(kind, {**row, "keys": [*row["keys"], key]})
        return row
    finally:
        offices.author = "nexhealth"


def _book(nexhealth: NexHealth, action: Row) -> Row:
    location_id = nexhealth.state.get("operatories", action["operatory"])["location_id"]
    return nexhealth.state.offices.add_appointment(
        location=location_id,
        patient=_chart_id(nexhealth, action["patient"]),
        provider=action["provider"],
        operatory=action["operatory"],
        start=action["start"],
        end=_end_time(action["start"], action.get("duration", 30)),
        note=action.get("note", ""),
        title=action.get("title", "Visit"),
    )


def _move(nexhealth: NexHealth, action: Row) -> Row:
    row = _office_appointment(nexhealth, action["id"])
    changes: dict[str, Any] = {name: action[name] for name in ("operatory", "provider", "note") if name in action}
    if "patient" in action:
        changes["patient"] = _chart_id(nexhealth, action["patient"])
    start = action.get("start", row["start"])
    old_minutes = (parse_timestamp(row["end"]) - parse_timestamp(row["start"])).total_seconds() / 60
    changes |= {"start": start, "end": _end_time(start, action.get("duration", old_minutes))}
    return nexhealth.state.offices.save("appointments", {**row, **changes})


def _set_status(nexhealth: NexHealth, action: Row) -> Row:
    """``confirmed``, ``cancelled``, ``missed``, ``here`` or ``completed``."""
    now = nexhealth.state.clock.timestamp()
    changes: dict[str, Row] = {
        "confirmed": {"confirmed": True},
        "cancelled": {"cancelled": True},
        "missed": {"missed": True},
        "here": {"checked_in_at": now},
        "completed": {"checked_in_at": now, "checked_out": True},
    }
    row = _office_appointment(nexhealth, action["id"])
    return nexhealth.state.offices.save("appointments", row | changes[action["status"]])


def _cancel(nexhealth: NexHealth, action: Row) -> Row:
    return _set_status(nexhealth, {"id": action["id"], "status": "cancelled"})


def _delete(nexhealth: NexHealth, action: Row) -> Row:
    row = _office_appointment(nexhealth, action["id"])
    nexhealth.state.offices.delete_appointment(row)
    return row


def _block(nexhealth: NexHealth, action: Row) -> Row:
    if action.get("cause", "block") not in BLOCK_CAUSES:
        raise coded_error(400, "invalid_enum", "cause")
    return nexhealth.state.offices.add_appointment(
        location=action["location"],
        provider=action.get("provider"),
        operatory=action.get("operatory"),
        start=action["start"],
        end=action["end"],
        title=action.get("title", "Blocked"),
        block=action.get("cause", "block"),
    )


def _add_patient(nexhealth: NexHealth, action: Row) -> Row:
    names = ("first", "last", "born", "location", "email", "phone")
    return nexhealth.state.offices.add_chart(**{name: action[name] for name in names if name in action})


def _set_chart(nexhealth: NexHealth, action: Row) -> Row:
    """Make a chart active or inactive, or merge it into another one: its appointments go there too."""
    offices = nexhealth.state.offices
    chart = offices.get_by_any_id("patients", _chart_id(nexhealth, action["id"]))
    if chart is None:
        raise coded_error(404, "not_found", "id")
    if not action.get("merged_into"):
        return offices.save("patients", {**chart, "inactive": not action["active"]})
    original = _chart_id(nexhealth, action["merged_into"])
    for row in offices.store.all("appointments"):
        if row["patient"] == chart["id"]:
            offices.save("appointments", {**row, "patient": original})
    return offices.save("patients", {**chart, "inactive": True})


def _set_provider(nexhealth: NexHealth, action: Row) -> Row:
    row = nexhealth.state.get("providers", action["id"])
    return nexhealth.state.update("providers", row, inactive=not action["active"])


def _set_operatory(nexhealth: NexHealth, action: Row) -> Row:
    row = nexhealth.state.get("operatories", action["id"])
    return nexhealth.state.update("operatories", row, active=action["active"])


_ACTIONS: dict[str, Callable[[NexHealth, Row], Row]] = {
    "book": _book,
    "move": _move,
    "set_status": _set_status,
    "cancel": _cancel,
    "delete": _delete,
    "block": _block,
    "unblock": _delete,
    "patient": _add_patient,
    "set_chart": _set_chart,
    "set_provider": _set_provider,
    "set_operatory": _set_operatory,
}


def _office_appointment(nexhealth: NexHealth, row_id: Any) -> Row:
    """The office's row, by the office's id or by NexHealth's. Raises ErrorResponse 404."""
    offices = nexhealth.state.offices
    row = offices.get_by_any_id("appointments", row_id)
    if row is None:
        copied = nexhealth.state.synced_copy.get("appointments", str(row_id))
        if copied and copied["foreign_id"]:
            row = offices.get_by_any_id("appointments", copied["foreign_id"])
    if row is None:
        raise coded_error(404, "not_found", "id")
    return row


def _chart_id(nexhealth: NexHealth, patient_id: Any) -> int:
    """The office's own id of a patient, from that id or from NexHealth's."""
    row = nexhealth.state.synced_copy.get("patients", str(patient_id))
    return int(row["foreign_id"] if row is not None else patient_id)


def _end_time(start: Any, minutes: float) -> str:
    return format_timestamp(parse_timestamp(start) + timedelta(minutes=minutes))


def _check_names(body: Row, allowed: Row) -> Row:
    """Returns the body. Raises ErrorResponse 400 for a name that is not allowed."""
    for name in body:
        if name not in allowed:
            raise coded_error(400, "unknown_setting", name)
    return body
