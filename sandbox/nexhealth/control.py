"""The hand on NexHealth's side: the clock, each office's Synchronizer, the switches, and the front desks' own work."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sandbox.ascend import problem
from sandbox.nexhealth.service import NexHealth
from sandbox.nexhealth.sync import sync_status
from sandbox.nexhealth.systems import BLOCKS, SYSTEMS
from sandbox.store import Row
from sandbox.times import instant, instant_text


def set_switches(nex: NexHealth, given: Row) -> Row:
    vars(nex.world.switches).update(_known(given, vars(nex.world.switches)))
    return vars(nex.world.switches)


async def set_clock(nex: NexHealth, given: Row) -> Row:
    """``paused``; ``advance`` by seconds and do what fell due; ``settle``: every cycle at once, and its webhooks."""
    given = _known(given, {"paused": None, "advance": None, "settle": None})
    if "paused" in given:
        nex.world.clock.pause(given["paused"])
    nex.world.clock.advance(given.get("advance", 0))
    nex.sync.tick()
    await nex.webhooks.deliver()
    if given.get("settle"):
        await nex.settle()
    return {"now": nex.world.clock.text(), "paused": nex.world.clock.paused}


def set_office(nex: NexHealth, given: Row) -> Row:
    """``online``, ``read_status``, ``write_status``, ``system``, single ``cells`` of it, ``flags`` of the location."""
    place = nex.world.get("locations", given.pop("id"))
    line = nex.world.lines[place["id"]]
    if "flags" in given:
        nex.world.change("locations", place, **_known(given.pop("flags"), place))
    line.system = SYSTEMS[given.pop("system", line.system.name)]
    if "cells" in given:
        line.system = replace(line.system, **_known(given.pop("cells"), vars(line.system)))
    vars(line).update(_known(given, {"online": 0, "read_status": 0, "write_status": 0}))
    return sync_status(nex.world, place)


def act(nex: NexHealth, given: Row) -> Row:
    """One action of a front desk by name; with ``key`` it is done once however often it is sent."""
    what, key = str(given.pop("do", "")), given.pop("key", None)
    if what not in _ACTIONS:
        raise problem(400, "unknown_action", "do")
    offices = nex.world.offices
    for kind in ("appointments", "patients") if key is not None else ():
        for row in offices.store.all(kind):
            if key in row["keys"]:
                return row
    offices.author = "desk"
    try:
        row = _ACTIONS[what](nex, given)
        if key is not None and what not in ("delete", "unblock"):
            row = offices.save(
                "patients" if what == "patient" else "appointments", {**row, "keys": [*row["keys"], key]}
            )
        return row
    finally:
        offices.author = "nexhealth"


def _book(nex: NexHealth, given: Row) -> Row:
    location = nex.world.get("operatories", given["operatory"])["location_id"]
    return nex.world.offices.book(
        location=location,
        patient=_chart(nex, given["patient"]),
        provider=given["provider"],
        operatory=given["operatory"],
        start=given["start"],
        end=_end(given["start"], given.get("duration", 30)),
        note=given.get("note", ""),
        title=given.get("title", "Visit"),
    )


def _move(nex: NexHealth, given: Row) -> Row:
    row = _visit(nex, given["id"])
    changes: dict[str, Any] = {name: given[name] for name in ("operatory", "provider", "note") if name in given}
    if "patient" in given:
        changes["patient"] = _chart(nex, given["patient"])
    start = given.get("start", row["start"])
    minutes = given.get("duration", (instant(row["end"]) - instant(row["start"])).total_seconds() / 60)
    return nex.world.offices.save("appointments", {**row, **changes, "start": start, "end": _end(start, minutes)})


def _set_status(nex: NexHealth, given: Row) -> Row:
    """``confirmed``, ``cancelled``, ``missed``, ``here`` or ``completed``."""
    now = nex.world.clock.text()
    statuses: dict[str, Row] = {
        "confirmed": {"confirmed": True},
        "cancelled": {"cancelled": True},
        "missed": {"missed": True},
        "here": {"checked_in_at": now},
        "completed": {"checked_in_at": now, "checked_out": True},
    }
    return nex.world.offices.save("appointments", _visit(nex, given["id"]) | statuses[given["status"]])


def _cancel(nex: NexHealth, given: Row) -> Row:
    return _set_status(nex, {"id": given["id"], "status": "cancelled"})


def _delete(nex: NexHealth, given: Row) -> Row:
    row = _visit(nex, given["id"])
    nex.world.offices.delete(row)
    return row


def _block(nex: NexHealth, given: Row) -> Row:
    if given.get("cause", "block") not in BLOCKS:
        raise problem(400, "invalid_enum", "cause")
    return nex.world.offices.book(
        location=given["location"],
        provider=given.get("provider"),
        operatory=given.get("operatory"),
        start=given["start"],
        end=given["end"],
        title=given.get("title", "Blocked"),
        block=given.get("cause", "block"),
    )


def _patient(nex: NexHealth, given: Row) -> Row:
    names = ("first", "last", "born", "location", "email", "phone")
    return nex.world.offices.enter(**{name: given[name] for name in names if name in given})


_ACTIONS: dict[str, Callable[[NexHealth, Row], Row]] = {
    "book": _book,
    "move": _move,
    "set_status": _set_status,
    "cancel": _cancel,
    "delete": _delete,
    "block": _block,
    "unblock": _delete,
    "patient": _patient,
}


def _visit(nex: NexHealth, row_id: Any) -> Row:
    """By the office's id or NexHealth's."""
    row = nex.world.offices.find("appointments", row_id)
    if row is None:
        copied = nex.world.copy.get("appointments", str(row_id))
        row = nex.world.offices.find("appointments", copied["foreign_id"]) if copied and copied["foreign_id"] else None
    if row is None:
        raise problem(404, "not_found", "id")
    return row


def _chart(nex: NexHealth, row_id: Any) -> int:
    """The office's own id of a patient, given that or NexHealth's."""
    row = nex.world.copy.get("patients", str(row_id))
    return int(row["foreign_id"] if row is not None else row_id)


def _end(start: Any, minutes: float) -> str:
    return instant_text(instant(start) + timedelta(minutes=minutes))


def _known(given: Row, allowed: Row) -> Row:
    for name in given:
        if name not in allowed:
            raise problem(400, "unknown_setting", name)
    return given
