"""Ascend's rows as our values, read tolerantly, and our values as the rows that Ascend wants.

Ascend may add fields at any time, so unknown ones are ignored.
"""

from contextlib import suppress
from datetime import time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from adapters.ascend.paging import instant_text
from adapters.errors import Unreadable
from adapters.practice_system import Hold, NewChart
from adapters.rows import parse_date, parse_instant
from domain.calendar import Appointment, AppointmentStatus, Window
from domain.interval import Interval, span
from domain.local_time import instant
from domain.patient import Chart, ChartStatus
from domain.phone import north_american_digits
from domain.reference import reference_in
from domain.slot import Slot

NO_ID = ""
"""The operatory or provider of an appointment that shows none."""
TENTATIVE_NOTE = "Online booking, tentative."
CONFIRMED_NOTE = "Online booking, confirmed."

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


def linked_id(row: Row, field: str) -> str | None:
    """The id of the record that a field refers to, whether it comes as an object, a string or a number."""
    value = row.get(field)
    if isinstance(value, dict):
        value = value.get("id")
    return None if value is None else str(value)


def is_status_known(row: Row) -> bool:
    """Whether the status is one that the vendor documents. An unknown one reads as tentative, but is not ours."""
    return _status_text(row) in _STATUSES


def _status_text(row: Row) -> str:
    return str(row.get("status", "")).upper()


def appointment(row: Row) -> Appointment:
    """Raises Unreadable if the row's time cannot be read."""
    return Appointment(
        id=str(row["id"]),
        time=_time(row),
        provider=linked_id(row, "provider") or NO_ID,
        other_provider=linked_id(row, "otherProvider"),
        operatory=linked_id(row, "operatory") or NO_ID,
        patient=linked_id(row, "patient") or "",
        status=_STATUSES.get(_status_text(row), AppointmentStatus.TENTATIVE),
        reference=reference_in(row.get("note")),
    )


def _time(row: Row) -> Interval:
    start, minutes = parse_instant(row, "start"), str(row.get("duration") or "")
    if minutes.isdecimal():
        with suppress(ValueError, OverflowError):  # longer than any calendar
            return span(start, int(minutes))
    end = parse_instant(row, "end")
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
        date_of_birth=parse_date(row.get("dateOfBirth")),
        email=row.get("emailAddress") or None,
        phones=tuple(str(p["number"]) for p in phones if isinstance(p, dict) and p.get("number")),
        status=_CHART_STATUSES.get(str(row.get("patientStatus", "ACTIVE")).upper(), ChartStatus.ACTIVE),
        location=linked_id(row, "preferredLocation"),
        duplicate_of=linked_id(row, "duplicateOfPatient"),
    )


def new_appointment(hold: Hold) -> Row:
    """The body that creates a hold: unconfirmed, marked for follow-up, with our reference in the note.

    Ascend demands at least one of ``other``, procedures and visits, so ``other`` is always there.
    """
    body: Row = {
        **slot_fields(hold.slot),
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


def slot_fields(slot: Slot) -> Row:
    return {
        "start": instant_text(slot.time.start),
        "duration": int(slot.time.length.total_seconds() // 60),
        "provider": {"id": slot.provider, "type": "ProviderV1"},
        "operatory": {"id": slot.operatory, "type": "OperatoryV1"},
    }


def _note(hold: Hold) -> str:
    note = f"{TENTATIVE_NOTE} ref:{hold.reference}"
    return f"{note}\nPatient's note: {hold.note}" if hold.note else note


def full_body(row: Row, **changes: Any) -> Row:
    """A full body for PUT: everything that was read, without read-only fields, and with the changes.

    The vendor does not say whether a PUT keeps the fields that it leaves out, so all of them are sent.
    """
    body = {key: value for key, value in row.items() if key not in _READ_ONLY and value is not None}
    other_spelling = body.pop("needsFollowUp", None)  # the vendor's samples write "needsFollowup"
    if other_spelling is not None:
        body.setdefault("needsFollowup", other_spelling)
    return body | changes


def body_if_changed(row: Row, **changes: Any) -> Row | None:
    """The same as ``full_body``, or ``None`` if the row already has all these values."""
    body = full_body(row)
    if all(_comparable(body.get(name)) == _comparable(value) for name, value in changes.items()):
        return None
    return body | changes


def _comparable(value: Any) -> Any:
    """The id of a linked record, and ``None`` for anything empty or false."""
    return str(value["id"]) if isinstance(value, dict) and "id" in value else value or None


def new_patient(new: NewChart) -> Row:
    """The body that creates a chart. Ascend takes phone numbers of North America only."""
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
    """The online-booking windows that a weekly schedule template opens within a span. An unreadable one opens none."""
    operatory = linked_id(row, "operatory")
    if not row.get("bookOnline") or operatory is None or row.get("dayOfWeek") not in _WEEKDAYS:
        return []
    weekday = _WEEKDAYS.index(row["dayOfWeek"])
    try:
        begins, ends = _local_time(row["start"]), _local_time(row["end"])
    except (KeyError, TypeError, ValueError):
        return []
    opened: list[Window] = []
    day = around.start.astimezone(tz).date()
    while day <= around.end.astimezone(tz).date():
        if day.weekday() == weekday:
            last_day = day if ends > time(0) else day + timedelta(days=1)
            start = instant(day, begins, tz)
            opened.append(
                Window(
                    time=Interval(start=start, end=max(start, instant(last_day, ends, tz))),
                    operatory=operatory,
                    providers=tuple(_ids(row.get("providers"))),
                    reasons=tuple(_ids(row.get("reasons"))),
                )
            )
        day += timedelta(days=1)
    return opened


def _local_time(text: Any) -> time:
    """A time on the location's clock. A zone after it is ignored, and midnight is 00:00 at either end of the day."""
    return time.fromisoformat(str(text).replace("24:00", "00:00")).replace(tzinfo=None)


def _ids(links: Any) -> list[str]:
    return [str(link["id"] if isinstance(link, dict) else link) for link in links or []]
