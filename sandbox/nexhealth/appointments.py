"""Appointments: checked against the copy, accepted, and queued for the office."""

from datetime import datetime, timedelta
from typing import Any

from sandbox.nexhealth import records
from sandbox.nexhealth.calls import Call, Endpoint, identifier, required
from sandbox.nexhealth.envelope import (
    ALREADY_CANCELLED,
    NOT_SYNCED,
    TAKEN,
    WRONG_TYPE,
    Reply,
    invalid,
    missing,
    not_found,
    refusal,
    shown,
)
from sandbox.nexhealth.hours import open_for
from sandbox.nexhealth.paging import paged
from sandbox.nexhealth.parameters import PAGING
from sandbox.nexhealth.service import NexHealth
from sandbox.nexhealth.world import World
from sandbox.store import Row
from sandbox.times import instant, instant_text

LONGEST_NOTE = 128
_INCLUDES = {"operatory": "operatories", "appointment_type": "appointment_types"}


def _listing(nex: NexHealth, call: Call) -> Reply:
    """Those that start within the span. A location or an office's id is needed though the document does not say so."""
    params = call.params
    nex.world.read("list", params.get("location_id") or 0)
    if params.get("location_id") is None and params.get("foreign_id") is None:
        raise missing("location_id")
    rows = [
        row
        for row in nex.world.copy.all("appointments")
        if row["institution_id"] == call.of["id"]
        and params.get("start") <= instant(row["start_time"]) <= params.get("end")
        and params.equal(row, "location_id", "cancelled", "unavailable", "appointment_type_id", "foreign_id")
        and params.among(row, patient_id="patient_ids[]", provider_id="provider_ids[]", operatory_id="operatory_ids[]")
        and (not params.get("nex_only") or row["misc"].get("is_booked_on_nexhealth"))
        and params.get("created_by", row["created_by_user_id"]) == row["created_by_user_id"]
        and params.since(row)
    ]
    return paged(rows, params)


def _item(nex: NexHealth, call: Call) -> Reply:
    row = nex.world.get("appointments", call.ids["id"], call.of)
    nex.world.read("item", row["id"])
    found, include = shown(row), call.params.get("include[]", ["patient"])
    if "patient" in include and row["patient_id"] is not None:
        found["patient"] = shown(nex.world.get("patients", row["patient_id"]))
    for name, kind in _INCLUDES.items():
        related = nex.world.copy.get(kind, str(row[f"{name}_id"]))
        if name in include and related is not None:
            found[name] = shown(related)
    return Reply(found)


def _create(nex: NexHealth, call: Call) -> Reply:
    wanted = _wanted(nex.world, call)
    if clash(nex.world, wanted):
        raise refusal(400, TAKEN)
    if call.body["appt"].get("patient"):
        wanted["patient_id"] = _child(nex.world, call, wanted["patient_id"])
    row = nex.world.add("appointments", wanted)
    if call.at["insert_appt_client"]:
        nex.sync.enqueue("insert", row)
    return Reply({"appt": shown(row), "stripe_client_secret": None}, status=201)


def _wanted(world: World, call: Call) -> Row:
    given, place = call.part("appt"), call.at
    blocked = bool(given.get("unavailable", False))
    required(given, ("provider_id", "start_time") if blocked else ("patient_id", "provider_id", "start_time"), "appt")
    if place["map_by_operatory"]:
        required(given, ("operatory_id",), "appt")
    kind = _type(world, given.get("appointment_type_id"))
    start = _moment(given, "start_time")
    end = _end(given, start, kind)
    if start <= world.clock.now():
        raise refusal(400, "start_time must be in the future")
    provider, chair = _provider(world, given, place), _chair(world, given.get("operatory_id"), place)
    person = _patient(world, given.get("patient_id"), call.of)
    if kind is not None and not open_for(world, place, provider, chair, kind, start, end):
        raise refusal(400, WRONG_TYPE)
    return records.appointment(
        place,
        patient_id=person["id"] if person else None,
        provider_id=provider["id"],
        provider_name=provider["name"],
        operatory_id=chair["id"] if chair else None,
        start_time=instant_text(start),
        end_time=instant_text(end),
        appointment_type_id=kind["id"] if kind else 0,
        note=_note(given.get("note")),
        unavailable=blocked,
        is_guardian=bool(given.get("is_guardian", False)),
        is_new_clients_patient=bool(given.get("is_new_clients_patient", False)),
        is_past_patient=bool(person and person["foreign_id"]),
        referrer=given.get("referrer"),
        misc={"is_booked_on_nexhealth": True},
        created_by_user_id=197,
        _descriptors=[identifier(one) for one in given.get("descriptor_ids", [])],
    )


def _child(world: World, call: Call, guardian: int) -> int:
    """For whom a guardian books."""
    given = call.body["appt"]["patient"]
    required(given, ("first_name", "last_name", "bio"), "appt[patient]")
    required(given["bio"], ("date_of_birth",), "appt[patient][bio]")
    bio = {"gender": "Female", **given["bio"], "new_patient": True}
    row = records.patient(call.at, given["first_name"], given["last_name"], None, bio, guarantor_id=guardian)
    return int(world.add("patients", row)["id"])


def _change(nex: NexHealth, call: Call) -> Reply:
    row, given = nex.world.get("appointments", call.ids["id"], call.of), call.part("appt")
    if row["cancelled"]:
        raise refusal(400, ALREADY_CANCELLED)
    if given.get("cancelled"):
        return _answered(_cancel(nex, row))
    line = nex.world.lines[row["location_id"]]
    if row["foreign_id"] is None or line.status("write") == "red":
        raise refusal(400, NOT_SYNCED)
    changes = _changes(nex.world, row, given)
    moved = any(name in changes for name in ("start_time", "operatory_id", "note"))
    if moved and not line.system.reschedules:
        if nex.world.switches.ascend_reschedule == "refused":
            raise refusal(400, "appt cannot be rescheduled for this integration")
        return _answered(nex.world.change("appointments", row, **changes))
    if moved and clash(nex.world, {**row, **changes}):
        raise refusal(400, TAKEN)
    before = {name: row[name] for name in changes}
    row = nex.world.change("appointments", row, **changes)
    nex.sync.enqueue("update", row, before)
    return _answered(row)


def _cancel(nex: NexHealth, row: Row) -> Row:
    before = {name: row[name] for name in ("cancelled", "cancelled_at")}
    row = nex.world.change("appointments", row, cancelled=True, cancelled_at=nex.world.clock.text())
    never_written = row["foreign_id"] is None and not nex.sync.is_queued(row["id"])
    if never_written or (row["foreign_id"] is None and nex.world.switches.cancel_before_sync == "dropped"):
        nex.sync.dequeue(row["id"])
    else:
        nex.sync.enqueue("update", row, before)
    return row


def _changes(world: World, row: Row, given: Row) -> Row:
    changes: Row = {}
    if "confirmed" in given:
        if given["confirmed"] is not True:
            raise invalid("appt[confirmed]")
        changes |= {"confirmed": True, "confirmed_at": world.clock.text()}
    if "checkin_at" in given:
        changes["checkin_at"] = instant_text(_moment(given, "checkin_at"))
    if ("start_time" in given) != ("end_time" in given):
        raise refusal(400, "appt[start_time], appt[end_time] provide all or none of parameters")
    if "start_time" in given:
        place, start = world.get("locations", row["location_id"]), instant_text(_moment(given, "start_time"))
        if instant(start) <= world.clock.now():
            raise refusal(400, "start_time must be in the future")
        changes |= {"start_time": start, "end_time": instant_text(_end(given, instant(start), None))}
        changes |= records.local_time(place, start)
    if "operatory_id" in given:
        chair = _chair(world, given["operatory_id"], world.get("locations", row["location_id"]))
        changes["operatory_id"] = chair["id"] if chair else None
    if "note" in given:
        changes["note"] = _note(given["note"])
    return changes


def clash(world: World, wanted: Row) -> bool:
    """Whether the copy shows something in the way; what only the office knows is not seen."""
    start, end = instant(wanted["start_time"]), instant(wanted["end_time"])
    for row in world.copy.all("appointments") if world.switches.overlap_check else ():
        same_chair = row["operatory_id"] == wanted["operatory_id"] or (
            row["unavailable"] and row["operatory_id"] is None
        )
        same_provider = world.switches.provider_overlap and row["provider_id"] == wanted["provider_id"]
        if (
            row["id"] != wanted.get("id")
            and row["location_id"] == wanted["location_id"]
            and not row["cancelled"]
            and (same_chair or same_provider)
            and instant(row["start_time"]) < end
            and start < instant(row["end_time"])
        ):
            return True
    return False


def _answered(row: Row) -> Reply:
    return Reply({"appt": shown(row), "stripe_client_secret": None})


def _moment(given: Row, name: str) -> datetime:
    try:
        return instant(given[name])
    except ValueError:
        raise invalid(f"appt[{name}]") from None


def _end(given: Row, start: datetime, kind: Row | None) -> datetime:
    if given.get("end_time"):
        end = _moment(given, "end_time")
    elif kind is not None:
        end = start + timedelta(minutes=kind["minutes"])
    else:
        raise missing("appt[end_time]")
    if end <= start:
        raise invalid("appt[end_time]")
    return end


def _note(text: Any) -> str | None:
    if text is not None and len(text) > LONGEST_NOTE:
        raise refusal(400, f"note is too long (maximum is {LONGEST_NOTE} characters)")
    return text or None


def _type(world: World, given: Any) -> Row | None:
    return world.get("appointment_types", identifier(given)) if given else None


def _provider(world: World, given: Row, place: Row) -> Row:
    row = world.copy.get("providers", str(identifier(given["provider_id"])))
    if row is None or row["inactive"] or place["id"] not in row["_locations"]:
        raise not_found("Provider")
    return row


def _chair(world: World, given: Any, place: Row) -> Row | None:
    if given is None:
        return None
    row = world.copy.get("operatories", str(identifier(given)))
    if row is None or row["location_id"] != place["id"]:
        raise not_found("Operatory")
    return row


def _patient(world: World, given: Any, institution: Row) -> Row | None:
    return world.get("patients", identifier(given), institution) if given else None


ENDPOINTS = (
    Endpoint(
        "GET",
        "/appointments",
        _listing,
        ("subdomain", "start", "end"),
        (
            *(
                "location_id",
                "cancelled",
                "unavailable",
                "nex_only",
                "updated_since",
                "appointment_type_id",
                "timezone",
            ),
            *("foreign_id", "created_by", "patient_ids[]", "provider_ids[]", "operatory_ids[]", *PAGING),
        ),
    ),
    Endpoint("GET", "/appointments/{id}", _item, ("subdomain",), ("include[]",)),
    Endpoint("POST", "/appointments", _create, ("subdomain", "location_id"), ("notify_patient",)),
    Endpoint("PATCH", "/appointments/{id}", _change, ("subdomain",)),
)
