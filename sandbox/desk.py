"""What people at the front desk do in their own program, while nobody asks us."""

from typing import Any

from sandbox.ascend import Ascend, problem
from sandbox.seed import patient
from sandbox.store import Row
from sandbox.times import now_text

RECURRENCE = ("recurrenceType", "recurrenceFrequency", "recurrenceStart", "recurrenceEnd")


def act(ascend: Ascend, given: dict[str, Any]) -> Row:
    """One action by name; with ``key`` it is done once however often it is sent."""
    what, key = given.pop("do", None), given.pop("key", None)
    action = _ACTIONS.get(str(what))
    if action is None:
        raise problem(400, "unknown_action", "do")
    done = ascend.store.remembered(key) if key is not None else None
    if done is not None:
        return done
    ascend.author = "desk"
    try:
        answer = action(ascend, given)
    finally:
        ascend.author = "api"
    if key is not None:
        ascend.store.remember(key, answer)
    return answer


def _book(ascend: Ascend, given: Row) -> Row:
    """``without`` names fields that the row lacks, as one taken over from another program may."""
    body = {
        "start": given["start"],
        "duration": given.get("duration", 30),
        "status": "UNCONFIRMED",
        "patient": {"id": given["patient"]},
        "provider": {"id": given["provider"]},
        "operatory": {"id": given["operatory"]},
        "title": given.get("title", "Visit"),
        "other": given.get("title", "Visit"),
    }
    _, answer = ascend.create("appointments", body)
    row = dict(answer["data"])
    nothing = dict.fromkeys(given.get("without", ()))
    return ascend.store.put("appointments", row | nothing) if nothing else row


def _change(ascend: Ascend, given: Row) -> Row:
    row = ascend.found("appointments", given["id"])
    for name in ("operatory", "provider", "patient"):
        if name in given:
            row[name] = {"id": given[name]}
    row.update({name: given[name] for name in ("start", "duration", "status", "note") if name in given})
    return dict(ascend.update("appointments", given["id"], row)["data"])


def _cancel(ascend: Ascend, given: Row) -> Row:
    return _change(ascend, {"id": given["id"], "status": "BROKEN"})


def _delete(ascend: Ascend, given: Row) -> Row:
    ascend.delete("appointments", given["id"])
    return {"id": given["id"]}


def _block(ascend: Ascend, given: Row) -> Row:
    """Closed time of a location, or without one of all; of a chair or a provider, or of everybody; once or repeated."""
    stamp = {"created": now_text(), "lastModified": now_text()}
    kinds = (("location", "LocationV1"), ("operatory", "OperatoryV1"), ("provider", "ProviderV1"))
    row = {
        "type": "EventV1",
        "title": given.get("title", "Blocked"),
        "start": given["start"],
        "end": given["end"],
        "allDay": given.get("allDay", False),
        **{name: {"id": given[name], "type": kind} if given.get(name) else None for name, kind in kinds},
        **{name: given[name] for name in RECURRENCE if name in given},
    }
    return ascend.store.add("events", row | stamp)


def _unblock(ascend: Ascend, given: Row) -> Row:
    ascend.store.delete("events", given["id"])
    return {"id": given["id"]}


def _patient(ascend: Ascend, given: Row) -> Row:
    row = patient(
        given["first"], given["last"], given["born"], given.get("email"), given.get("phone"), given["location"]
    )
    if given.get("duplicate_of"):
        original = {"id": given["duplicate_of"], "type": "PatientV1"}
        row |= {"patientStatus": "DUPLICATE", "duplicateOfPatient": original}
    stamp = {"type": "PatientV1", "created": now_text(), "lastModified": now_text()}
    return ascend.store.add("patients", {**row, **stamp})


_ACTIONS = {
    "book": _book,
    "move": _change,
    "set_status": _change,
    "cancel": _cancel,
    "delete": _delete,
    "block": _block,
    "unblock": _unblock,
    "patient": _patient,
}
