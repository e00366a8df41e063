"""What the front desk does in Ascend's own program, without the API."""

from typing import Any

from sandbox.ascend.seed import patient_row
from sandbox.ascend.service import Ascend
from sandbox.errors import coded_error
from sandbox.store import Row
from sandbox.timestamps import current_timestamp

RECURRENCE_FIELDS = ("recurrenceType", "recurrenceFrequency", "recurrenceStart", "recurrenceEnd")


def act_as_desk(ascend: Ascend, action: dict[str, Any]) -> Row:
    """Do the action that ``do`` names. An action with a ``key`` happens only once; repeats get the first result."""
    name, key = action.pop("do", None), action.pop("key", None)
    perform = _ACTIONS.get(str(name))
    if perform is None:
        raise coded_error(400, "unknown_action", "do")
    first_result = ascend.store.saved_result(key) if key is not None else None
    if first_result is not None:
        return first_result
    ascend.author = "desk"
    try:
        result = perform(ascend, action)
    finally:
        ascend.author = "api"
    if key is not None:
        ascend.store.save_result(key, result)
    return result


def _book(ascend: Ascend, action: Row) -> Row:
    """``without`` names fields that the row lacks, as a row imported from another program may."""
    body = {
        "start": action["start"],
        "duration": action.get("duration", 30),
        "status": "UNCONFIRMED",
        "patient": {"id": action["patient"]},
        "provider": {"id": action["provider"]},
        "operatory": {"id": action["operatory"]},
        "title": action.get("title", "Visit"),
        "other": action.get("title", "Visit"),
    }
    _, answer = ascend.create("appointments", body)
    row = dict(answer["data"])
    missing_fields = dict.fromkeys(action.get("without", ()))
    return ascend.store.put("appointments", row | missing_fields) if missing_fields else row


def _change(ascend: Ascend, action: Row) -> Row:
    row = ascend.get_row("appointments", action["id"])
    for name in ("operatory", "provider", "patient"):
        if name in action:
            row[name] = {"id": action[name]}
    row.update({name: action[name] for name in ("start", "duration", "status", "note") if name in action})
    return dict(ascend.update("appointments", action["id"], row)["data"])


def _remove_fields(ascend: Ascend, action: Row) -> Row:
    """Make it a row that lacks these fields, as one imported from another program may."""
    row = ascend.get_row("appointments", action["id"])
    return ascend.store.put(
        "appointments", {name: value for name, value in row.items() if name not in action["without"]}
    )


def _cancel(ascend: Ascend, action: Row) -> Row:
    return _change(ascend, {"id": action["id"], "status": "BROKEN"})


def _delete(ascend: Ascend, action: Row) -> Row:
    ascend.delete("appointments", action["id"])
    return {"id": action["id"]}


def _block(ascend: Ascend, action: Row) -> Row:
    """Close time, once or repeatedly. Without a location, operatory or provider it applies to all of them."""
    stamp = {"created": current_timestamp(), "lastModified": current_timestamp()}
    references = (("location", "LocationV1"), ("operatory", "OperatoryV1"), ("provider", "ProviderV1"))
    row = {
        "type": "EventV1",
        "title": action.get("title", "Blocked"),
        "start": action["start"],
        "end": action["end"],
        "allDay": action.get("allDay", False),
        **{name: {"id": action[name], "type": kind} if action.get(name) else None for name, kind in references},
        **{name: action[name] for name in RECURRENCE_FIELDS if name in action},
    }
    return ascend.store.add("events", row | stamp)


def _unblock(ascend: Ascend, action: Row) -> Row:
    ascend.store.delete("events", action["id"])
    return {"id": action["id"]}


def _add_patient(ascend: Ascend, action: Row) -> Row:
    row = patient_row(
        action["first"], action["last"], action["born"], action.get("email"), action.get("phone"), action["location"]
    )
    if action.get("duplicate_of"):
        original = {"id": action["duplicate_of"], "type": "PatientV1"}
        row |= {"patientStatus": "DUPLICATE", "duplicateOfPatient": original}
    stamp = {"type": "PatientV1", "created": current_timestamp(), "lastModified": current_timestamp()}
    return ascend.store.add("patients", {**row, **stamp})


def _set_chart(ascend: Ascend, action: Row) -> Row:
    """Make a chart active or inactive, or merge it into another one."""
    row = ascend.get_row("patients", action["id"])
    if action.get("merged_into"):
        original = {"id": action["merged_into"], "type": "PatientV1"}
        row |= {"patientStatus": "DUPLICATE", "duplicateOfPatient": original}
    else:
        row["patientStatus"] = "ACTIVE" if action["active"] else "INACTIVE"
    return ascend.store.put("patients", row | {"lastModified": current_timestamp()})


def _set_provider(ascend: Ascend, action: Row) -> Row:
    return _set_active(ascend, "providers", action)


def _set_operatory(ascend: Ascend, action: Row) -> Row:
    return _set_active(ascend, "operatories", action)


def _set_active(ascend: Ascend, collection: str, action: Row) -> Row:
    row = ascend.get_row(collection, action["id"])
    return ascend.store.put(collection, row | {"active": action["active"], "lastModified": current_timestamp()})


_ACTIONS = {
    "book": _book,
    "move": _change,
    "set_status": _change,
    "remove_fields": _remove_fields,
    "cancel": _cancel,
    "delete": _delete,
    "block": _block,
    "unblock": _unblock,
    "patient": _add_patient,
    "set_chart": _set_chart,
    "set_provider": _set_provider,
    "set_operatory": _set_operatory,
}
