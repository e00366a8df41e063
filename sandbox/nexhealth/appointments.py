"""The appointment endpoints. A write is checked against NexHealth's copy, accepted, and queued for the office."""

from datetime import datetime, timedelta
from typing import Any

from sandbox.nexhealth import records
from sandbox.nexhealth.endpoint import ApiCall, Endpoint, check_required, parse_id
from sandbox.nexhealth.envelope import (
    ALREADY_CANCELLED,
    NOT_SYNCED,
    SLOT_TAKEN,
    TYPE_NOT_CONFIGURED,
    Reply,
    api_error,
    invalid_parameter,
    missing_parameter,
    not_found,
    public_fields,
)
from sandbox.nexhealth.paging import page_reply
from sandbox.nexhealth.parameters import PAGING
from sandbox.nexhealth.service import NexHealth
from sandbox.nexhealth.state import NexHealthState
from sandbox.nexhealth.working_hours import has_hours_for
from sandbox.store import Row
from sandbox.timestamps import format_timestamp, parse_timestamp

MAX_NOTE_LENGTH = 128
_API_USER_ID = 197
_INCLUDABLE_KINDS = {"operatory": "operatories", "appointment_type": "appointment_types"}


def _list(nexhealth: NexHealth, call: ApiCall) -> Reply:
    """Appointments that start in the range.

    A location or a foreign id is required, although the vendor's document does not say so.
    """
    params = call.params
    nexhealth.state.record_reading("list", params.get("location_id") or 0)
    if params.get("location_id") is None and params.get("foreign_id") is None:
        raise missing_parameter("location_id")
    rows = [
        row
        for row in nexhealth.state.synced_copy.all("appointments")
        if row["institution_id"] == call.institution["id"]
        and params.get("start") <= parse_timestamp(row["start_time"]) <= params.get("end")
        and params.equal(row, "location_id", "cancelled", "unavailable", "appointment_type_id", "foreign_id")
        and params.contain(
            row, patient_id="patient_ids[]", provider_id="provider_ids[]", operatory_id="operatory_ids[]"
        )
        and (not params.get("nex_only") or row["misc"].get("is_booked_on_nexhealth"))
        and params.get("created_by", row["created_by_user_id"]) == row["created_by_user_id"]
        and params.is_updated_since(row)
    ]
    return page_reply(rows, params)


def _read(nexhealth: NexHealth, call: ApiCall) -> Reply:
    row = nexhealth.state.get("appointments", call.path_ids["id"], call.institution)
    nexhealth.state.record_reading("item", row["id"])
    appointment, include = public_fields(row), call.params.get("include[]", ["patient"])
    if "patient" in include and row["patient_id"] is not None:
        appointment["patient"] = public_fields(nexhealth.state.get("patients", row["patient_id"]))
    for name, kind in _INCLUDABLE_KINDS.items():
        related = nexhealth.state.synced_copy.get(kind, str(row[f"{name}_id"]))
        if name in include and related is not None:
            appointment[name] = public_fields(related)
    return Reply(appointment)


def _create(nexhealth: NexHealth, call: ApiCall) -> Reply:
    appointment = _build_appointment(nexhealth.state, call)
    if _has_conflict(nexhealth.state, appointment):
        raise api_error(400, SLOT_TAKEN)
    if call.body["appt"].get("patient"):
        appointment["patient_id"] = _add_dependent(nexhealth.state, call, appointment["patient_id"])
    row = nexhealth.state.add("appointments", appointment)
    if call.location["insert_appt_client"]:
        nexhealth.synchronizer.enqueue("insert", row)
    return Reply({"appt": public_fields(row), "stripe_client_secret": None}, status=201)


def _build_appointment(state: NexHealthState, call: ApiCall) -> Row:
    """The new appointment's row. Raises ErrorResponse for a request that is not acceptable."""
    body, location = call.body_part("appt"), call.location
    is_block = bool(body.get("unavailable", False))
    required = ("provider_id", "start_time") if is_block else ("patient_id", "provider_id", "start_time")
    check_required(body, required, "appt")
    if location["map_by_operatory"]:
        check_required(body, ("operatory_id",), "appt")
    appointment_type = _get_type(state, body.get("appointment_type_id"))
    start = _parse_time(body, "start_time")
    end = _end_time(body, start, appointment_type)
    if start <= state.clock.now():
        raise api_error(400, "start_time must be in the future")
    provider, operatory = (
        _get_provider(state, body, location),
        _get_operatory(state, body.get("operatory_id"), location),
    )
    patient = _get_patient(state, body.get("patient_id"), call.institution)
    if appointment_type is not None and not has_hours_for(
        state, location, provider, operatory, appointment_type, start, end
    ):
        raise api_error(400, TYPE_NOT_CONFIGURED)
    return records.appointment_object(
        location,
        patient_id=patient["id"] if patient else None,
        provider_id=provider["id"],
        provider_name=provider["name"],
        operatory_id=operatory["id"] if operatory else None,
        start_time=format_timestamp(start),
        end_time=format_timestamp(end),
        appointment_type_id=appointment_type["id"] if appointment_type else 0,
        note=_check_note(body.get("note")),
        unavailable=is_block,
        is_guardian=bool(body.get("is_guardian", False)),
        is_new_clients_patient=bool(body.get("is_new_clients_patient", False)),
        is_past_patient=bool(patient and patient["foreign_id"]),
        referrer=body.get("referrer"),
        misc={"is_booked_on_nexhealth": True},
        created_by_user_id=_API_USER_ID,
        _descriptors=[parse_id(descriptor_id) for descriptor_id in body.get("descriptor_ids", [])],
    )


def _add_dependent(state: NexHealthState, call: ApiCall, guardian_id: int) -> int:
    """Add the patient for whom a guardian books. Returns the new patient's id."""
    body = call.body["appt"]["patient"]
    check_required(body, ("first_name", "last_name", "bio"), "appt[patient]")
    check_required(body["bio"], ("date_of_birth",), "appt[patient][bio]")
    bio = {"gender": "Female", **body["bio"], "new_patient": True}
    names = body["first_name"], body["last_name"]
    patient = records.patient_object(call.location, *names, None, bio, guarantor_id=guardian_id)
    return int(state.add("patients", patient)["id"])


def _update(nexhealth: NexHealth, call: ApiCall) -> Reply:
    state = nexhealth.state
    row, body = state.get("appointments", call.path_ids["id"], call.institution), call.body_part("appt")
    if row["cancelled"]:
        raise api_error(400, ALREADY_CANCELLED)
    if body.get("cancelled"):
        return _appointment_reply(_cancel(nexhealth, row))
    link = state.links[row["location_id"]]
    if row["foreign_id"] is None or link.status("write") == "red":
        raise api_error(400, NOT_SYNCED)
    changes = _parse_changes(state, row, body)
    is_rescheduled = any(name in changes for name in ("start_time", "operatory_id", "note"))
    if is_rescheduled and not link.system.reschedules:
        if state.switches.ascend_reschedule == "refused":
            raise api_error(400, "appt cannot be rescheduled for this integration")
        return _appointment_reply(state.update("appointments", row, **changes))
    if is_rescheduled and _has_conflict(state, {**row, **changes}):
        raise api_error(400, SLOT_TAKEN)
    before = {name: row[name] for name in changes}
    row = state.update("appointments", row, **changes)
    nexhealth.synchronizer.enqueue("update", row, before)
    return _appointment_reply(row)


def _cancel(nexhealth: NexHealth, row: Row) -> Row:
    """Cancel in the copy. The office hears of it, unless it does not have the appointment and need not get it."""
    state, synchronizer = nexhealth.state, nexhealth.synchronizer
    before = {name: row[name] for name in ("cancelled", "cancelled_at")}
    row = state.update("appointments", row, cancelled=True, cancelled_at=state.clock.timestamp())
    not_at_office = row["foreign_id"] is None
    never_arrives = not_at_office and not synchronizer.is_queued(row["id"])
    if never_arrives or (not_at_office and state.switches.cancel_before_sync == "dropped"):
        synchronizer.dequeue(row["id"])
    else:
        synchronizer.enqueue("update", row, before)
    return row


def _parse_changes(state: NexHealthState, row: Row, body: Row) -> Row:
    """The fields to change. Raises ErrorResponse for a change that is not acceptable."""
    changes: Row = {}
    if "confirmed" in body:
        # Only from false to true.
        if body["confirmed"] is not True or row["confirmed"]:
            raise invalid_parameter("appt[confirmed]")
        changes |= {"confirmed": True, "confirmed_at": state.clock.timestamp()}
    if "checkin_at" in body:
        changes["checkin_at"] = format_timestamp(_parse_time(body, "checkin_at"))
    if ("start_time" in body) != ("end_time" in body):
        raise api_error(400, "appt[start_time], appt[end_time] provide all or none of parameters")
    location = state.get("locations", row["location_id"])
    if "start_time" in body:
        start = _parse_time(body, "start_time")
        if parse_timestamp(format_timestamp(start)) <= state.clock.now():
            raise api_error(400, "start_time must be in the future")
        changes |= {"start_time": format_timestamp(start), "end_time": format_timestamp(_end_time(body, start, None))}
        changes |= records.time_zone_fields(location, changes["start_time"])
    if "operatory_id" in body:
        operatory = _get_operatory(state, body["operatory_id"], location)
        changes["operatory_id"] = operatory["id"] if operatory else None
    if "note" in body:
        changes["note"] = _check_note(body["note"])
    return changes


def _has_conflict(state: NexHealthState, appointment: Row) -> bool:
    """Whether NexHealth's copy shows a conflict. It cannot see what only the office knows."""
    if not state.switches.overlap_check:
        return False
    start, end = parse_timestamp(appointment["start_time"]), parse_timestamp(appointment["end_time"])
    return any(
        row["id"] != appointment.get("id")
        and row["location_id"] == appointment["location_id"]
        and not row["cancelled"]
        and _share_operatory_or_provider(state, appointment, row)
        and parse_timestamp(row["start_time"]) < end
        and start < parse_timestamp(row["end_time"])
        for row in state.synced_copy.all("appointments")
    )


def _share_operatory_or_provider(state: NexHealthState, appointment: Row, other: Row) -> bool:
    """The provider counts only under its switch. A block without an operatory blocks all of them."""
    if state.switches.provider_overlap and other["provider_id"] == appointment["provider_id"]:
        return True
    blocks_location = other["unavailable"] and other["operatory_id"] is None
    return bool(blocks_location or other["operatory_id"] == appointment["operatory_id"])


def _appointment_reply(row: Row) -> Reply:
    return Reply({"appt": public_fields(row), "stripe_client_secret": None})


def _parse_time(body: Row, name: str) -> datetime:
    try:
        return parse_timestamp(body[name])
    except ValueError:
        raise invalid_parameter(f"appt[{name}]") from None


def _end_time(body: Row, start: datetime, appointment_type: Row | None) -> datetime:
    """The end in the body, else the start plus the type's length."""
    if body.get("end_time"):
        end = _parse_time(body, "end_time")
    elif appointment_type is not None:
        end = start + timedelta(minutes=appointment_type["minutes"])
    else:
        raise missing_parameter("appt[end_time]")
    if end <= start:
        raise invalid_parameter("appt[end_time]")
    return end


def _check_note(text: Any) -> str | None:
    if text is not None and len(text) > MAX_NOTE_LENGTH:
        raise api_error(400, f"note is too long (maximum is {MAX_NOTE_LENGTH} characters)")
    return text or None


def _get_type(state: NexHealthState, type_id: Any) -> Row | None:
    return state.get("appointment_types", parse_id(type_id)) if type_id else None


def _get_provider(state: NexHealthState, body: Row, location: Row) -> Row:
    row = state.synced_copy.get("providers", str(parse_id(body["provider_id"])))
    if row is None or row["inactive"] or location["id"] not in row["_locations"]:
        raise not_found("Provider")
    return row


def _get_operatory(state: NexHealthState, operatory_id: Any, location: Row) -> Row | None:
    if operatory_id is None:
        return None
    row = state.synced_copy.get("operatories", str(parse_id(operatory_id)))
    if row is None or row["location_id"] != location["id"]:
        raise not_found("Operatory")
    return row


def _get_patient(state: NexHealthState, patient_id: Any, institution: Row) -> Row | None:
    return state.get("patients", parse_id(patient_id), institution) if patient_id else None


ENDPOINTS = (
    Endpoint(
        "GET",
        "/appointments",
        _list,
        ("subdomain", "start", "end"),
        (
            *("location_id", "cancelled", "unavailable", "nex_only", "updated_since", "appointment_type_id"),
            *("timezone", "foreign_id", "created_by", "patient_ids[]", "provider_ids[]", "operatory_ids[]"),
            *PAGING,
        ),
    ),
    Endpoint("GET", "/appointments/{id}", _read, ("subdomain",), ("include[]",)),
    Endpoint("POST", "/appointments", _create, ("subdomain", "location_id"), ("notify_patient",)),
    Endpoint("PATCH", "/appointments/{id}", _update, ("subdomain",)),
)
