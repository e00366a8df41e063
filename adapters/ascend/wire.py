"""Ascend's rows, read tolerantly, and ours, written as the vendor wants them."""

from contextlib import suppress
from datetime import time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from adapters.ascend.listing import instant_text
from adapters.errors import Unreadable
from adapters.practice_system import Hold, NewChart
from adapters.rows import date_or_none, when
from domain.calendar import Appointment, AppointmentStatus, Window
from domain.interval import Interval, span
from domain.local_time import instant
from domain.patient import Chart, ChartStatus
from domain.phone import north_american_digits
from domain.reference import reference_in
from domain.slot import Slot

NOWHERE = ""
"""The operatory or provider of an appointment that shows none."""
UNTOUCHED = frozenset({"UNCONFIRMED", "LEFT_MESSAGE"})
"""As it was written, or with a message left for the patient; a status that we don't know is never among them."""
AHEAD = UNTOUCHED | {"CONFIRMED", "LATE"}
"""The visit has not begun."""
TENTATIVE = "Online booking, tentative."
CONFIRMED = "Online booking, confirmed."

_STATUSES = {
    "UNCONFIRMED": AppointmentStatus.TENTATIVE,
    "LEFT_MESSAGE": AppointmentStatus.TENTATIVE,
    "CONFIRMED": AppointmentStatus.CONFIRMED,
    "LATE": AppointmentStatus.CONFIRMED,
    "HERE": AppointmentStatus.ARRIVED,
    "READY": AppointmentStatus.ARRIVED,
    "CHAIR": AppointmentStatus.ARRIVED,
    "CHECKOUT": AppointmentStatus.ARRIVED,
    "COMPLETED": AppointmentStatus.COMPLETED,
    "BROKEN": AppointmentStatus.BROKEN,
    "NO_SHOW": AppointmentStatus.NO_SHOW,
}
_CHART_STATUSES = {
    "NEW": ChartStatus.NEW,
    "ACTIVE": ChartStatus.ACTIVE,
    "NON-PATIENT": ChartStatus.NON_PATIENT,
    "INACTIVE": ChartStatus.INACTIVE,
    "DUPLICATE": ChartStatus.DUPLICATE,
}
_READ_ONLY = ("id", "type", "url", "created", "lastModified", "end", "statusId", "location")
_WEEKDAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")

Row = dict[str, Any]


def ref(row: Row, field: str) -> str | None:
    """The id in a reference, whether it comes as an object, a string or a number."""
    value = row.get(field)
    if isinstance(value, dict):
        value = value.get("id")
    return None if value is None else str(value)


def status(row: Row) -> str:
    return str(row.get("status", "")).upper()


def appointment(row: Row) -> Appointment:
    """Raises Unreadable for a row whose time can't be read."""
    return Appointment(
        id=str(row["id"]),
        time=_time(row),
        provider=ref(row, "provider") or NOWHERE,
        other_provider=ref(row, "otherProvider"),
        operatory=ref(row, "operatory") or NOWHERE,
        patient=ref(row, "patient") or "",
        status=_STATUSES.get(status(row), AppointmentStatus.TENTATIVE),
        reference=reference_in(row.get("note")),
    )


def _time(row: Row) -> Interval:
    start, minutes = when(row, "start"), str(row.get("duration") or "")
    if minutes.isdecimal():
        with suppress(ValueError, OverflowError):  # beyond any calendar
            return span(start, int(minutes))
    end = when(row, "end")
    if end < start:
        raise Unreadable("end")
    return Interval(start=start, end=end)


def chart(row: Row) -> Chart:
    phones = row.get("phones") or []
    return Chart(
        id=str(row["id"]),
        first_name=row.get("firstName") or "",
        last_name=row.get("lastName") or "",
        preferred_name=row.get("preferredName") or None,
        name_suffix=row.get("nameSuffix") or row.get("suffix") or None,
        date_of_birth=date_or_none(row.get("dateOfBirth")),
        email=row.get("emailAddress") or None,
        phones=tuple(str(p["number"]) for p in phones if isinstance(p, dict) and p.get("number")),
        status=_CHART_STATUSES.get(str(row.get("patientStatus", "ACTIVE")).upper(), ChartStatus.ACTIVE),
        location=ref(row, "preferredLocation"),
        duplicate_of=ref(row, "duplicateOfPatient"),
    )


def new_appointment(hold: Hold) -> Row:
    body: Row = {
        **place(hold.slot),
        "status": "UNCONFIRMED",
        "patient": {"id": hold.patient, "type": "PatientV1"},
        "bookingType": "NEW_PATIENT" if hold.new_patient else "EXISTING_PATIENT",
        "bookedOnline": True,
        "needsFollowup": True,
        "needsPremedicate": False,
        "title": hold.title,
        "other": hold.title,
        "note": _note(hold),
    }
    if hold.procedures:
        body["practiceProcedures"] = [{"id": p, "type": "PracticeProcedureV1"} for p in hold.procedures]
    return body


def place(slot: Slot) -> Row:
    return {
        "start": instant_text(slot.time.start),
        "duration": int(slot.time.length.total_seconds() // 60),
        "provider": {"id": slot.provider, "type": "ProviderV1"},
        "operatory": {"id": slot.operatory, "type": "OperatoryV1"},
    }


def _note(hold: Hold) -> str:
    note = f"{TENTATIVE} ref:{hold.reference}"
    return f"{note}\nPatient's note: {hold.note}" if hold.note else note


def rewritten(row: Row, **changes: Any) -> Row:
    """A full body for PUT: all that was read, less what is read-only, with the changes."""
    body = {key: value for key, value in row.items() if key not in _READ_ONLY and value is not None}
    spelt_otherwise = body.pop("needsFollowUp", None)
    if spelt_otherwise is not None:
        body.setdefault("needsFollowup", spelt_otherwise)
    return body | changes


def changed(row: Row, **changes: Any) -> Row | None:
    """As ``rewritten``; ``None`` where the row says all of it already."""
    body = rewritten(row)
    if all(_plain(body.get(name)) == _plain(value) for name, value in changes.items()):
        return None
    return body | changes


def _plain(value: Any) -> Any:
    """References by their ids; what is not there counts as no."""
    return str(value["id"]) if isinstance(value, dict) and "id" in value else value or None


def new_patient(new: NewChart) -> Row:
    person = new.person
    number = north_american_digits(person.mobile) if person.mobile else None
    body: Row = {
        "firstName": person.first_name,
        "lastName": person.last_name,
        "dateOfBirth": person.date_of_birth.isoformat(),
        "gender": person.sex.value if person.sex else "O",
        "patientStatus": "NEW",
        "contactMethod": "TEXT ME" if number else "EMAIL ME" if person.email else "CALL ME",
        "languageType": "SPANISH" if new.language == "es" else "ENGLISH",
        "preferredLocation": {"id": new.location, "type": "LocationV1"},
        "address1": new.address.line1,
        "city": new.address.city,
        "state": new.address.state,
        "postalCode": new.address.postal_code,
    }
    if new.address.line2:
        body["address2"] = new.address.line2
    if person.email:
        body["emailAddress"] = person.email
    if number:
        body["phones"] = [{"number": number, "phoneType": "MOBILE", "sequence": 1}]
    return body


def windows(row: Row, around: Interval, tz: ZoneInfo) -> list[Window]:
    """A weekly schedule template as the online-booking windows it opens within a span."""
    operatory = ref(row, "operatory")
    if not row.get("bookOnline") or operatory is None or row.get("dayOfWeek") not in _WEEKDAYS:
        return []
    weekday = _WEEKDAYS.index(row["dayOfWeek"])
    try:
        begins, ends = _clock(row["start"]), _clock(row["end"])
    except (KeyError, TypeError, ValueError):
        return []
    found = []
    day = around.start.astimezone(tz).date()
    while day <= around.end.astimezone(tz).date():
        if day.weekday() == weekday:
            last = day if ends > time(0) else day + timedelta(days=1)
            opens = instant(day, begins, tz)
            opened = Interval(start=opens, end=max(opens, instant(last, ends, tz)))
            found.append(
                Window(
                    time=opened,
                    operatory=operatory,
                    providers=tuple(_ids(row.get("providers"))),
                    reasons=tuple(_ids(row.get("reasons"))),
                )
            )
        day += timedelta(days=1)
    return found


def _clock(text: Any) -> time:
    """A reading of the location's clock, whatever zone is written behind it; midnight is 00:00 at either end."""
    return time.fromisoformat(str(text).replace("24:00", "00:00")).replace(tzinfo=None)


def _ids(references: Any) -> list[str]:
    return [str(r["id"] if isinstance(r, dict) else r) for r in references or []]
