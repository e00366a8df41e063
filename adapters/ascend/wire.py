"""Ascend's rows as our values, read tolerantly, and our values as the rows that Ascend wants.

Ascend may add fields at any time, so unknown ones are ignored.
"""

from contextlib import suppress
from datetime import date, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from adapters.ascend.paging import instant_text
from adapters.errors import Unreadable
from adapters.practice_system import Hold, NewChart
from adapters.rows import (
    MAX_EMAIL_LENGTH,
    MAX_NAME_LENGTH,
    MAX_PHONE_LENGTH,
    blocks_for_closure,
    optional_text,
    parse_date,
    parse_set_instant,
    possible_time,
    readable_id,
    readable_instant,
    required_id,
)
from domain.calendar import Appointment, AppointmentStatus, Block, Window
from domain.interval import Interval, span
from domain.local_time import instant
from domain.patient import UNREADABLE_CHART, Chart, ChartStatus
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

MAX_PHONES = 20

Row = dict[str, Any]


def linked_id(row: Row, field: str) -> str | None:
    """The id of the record that a field refers to, whether it comes as an object, a string or a number.

    ``None`` if it refers to none. Raises Unreadable.
    """
    value = row.get(field)
    if isinstance(value, dict):
        value = value.get("id")
    elif value is None:
        return None
    link = readable_id(value)
    if link is None:
        raise Unreadable(field)
    return link


def readable_link(row: Row, field: str) -> str | None:
    """The same, but ``None`` if it is unreadable."""
    try:
        return linked_id(row, field)
    except Unreadable:
        return None


def is_at(row: Row, location: str) -> bool:
    """Whether the row concerns this location. One whose location is unreadable may concern any."""
    return readable_link(row, "location") in (None, location)


def is_status_known(row: Row) -> bool:
    """Whether the status is one that the vendor documents. An unknown one reads as tentative, but is not ours."""
    return _status_text(row) in _STATUSES


def _status_text(row: Row) -> str:
    return str(row.get("status", "")).upper()


def appointment(row: Row) -> Appointment:
    """Raises Unreadable if id, time, provider or operatory cannot be read."""
    return Appointment(
        id=required_id(row),
        time=_time(row),
        provider=linked_id(row, "provider") or NO_ID,
        other_provider=linked_id(row, "otherProvider"),
        operatory=linked_id(row, "operatory") or NO_ID,
        patient=readable_link(row, "patient") or "",
        status=_status(row),
        reference=reference_in(row.get("note")),
    )


def _status(row: Row) -> AppointmentStatus:
    return _STATUSES.get(_status_text(row), AppointmentStatus.TENTATIVE)


def _time(row: Row) -> Interval:
    start, minutes = parse_set_instant(row, "start"), str(row.get("duration") or "")
    if minutes.isdecimal():
        with suppress(ValueError, OverflowError):  # longer than any calendar
            return span(start, int(minutes))
    end = parse_set_instant(row, "end")
    if end < start:
        raise Unreadable("end")
    return Interval(start=start, end=end)


def possible_blocks(row: Row, read_span: Interval, longest: timedelta) -> list[Block]:
    """What an unreadable appointment may occupy. Where its provider or operatory is unreadable, it may be any."""
    if not _status(row).occupies_time:
        return []
    try:
        time = _time(row)
    except Unreadable:
        time = possible_time(readable_instant(row, "start"), readable_instant(row, "end"), read_span, longest)
    try:
        operatory, provider, other = (linked_id(row, field) for field in ("operatory", "provider", "otherProvider"))
    except Unreadable:
        return [Block(time=time)]
    other_closed = [] if other is None else [Block(time=time, provider=other)]
    return [*blocks_for_closure(time, operatory, provider), *other_closed]


def chart(row: Row) -> Chart:
    """A field that is unreadable counts as missing, and the chart as one that may be anybody's."""
    fields = _ChartFields(row)
    chart_id = readable_id(row.get("id"))
    return Chart(
        id=chart_id or UNREADABLE_CHART,
        first_name=fields.text("firstName") or "",
        last_name=fields.text("lastName") or "",
        preferred_name=fields.text("preferredName"),
        name_suffix=fields.text("nameSuffix") or fields.text("suffix"),
        date_of_birth=fields.date("dateOfBirth"),
        email=fields.text("emailAddress", MAX_EMAIL_LENGTH),
        phones=fields.phones(),
        status=_CHART_STATUSES.get(str(row.get("patientStatus", "ACTIVE")).upper(), ChartStatus.ACTIVE),
        location=readable_link(row, "preferredLocation"),
        duplicate_of=fields.link("duplicateOfPatient"),
        unreadable=fields.unreadable if chart_id else "id",
    )


class _ChartFields:
    """Reads the fields of a patient's row, and remembers the last one that is unreadable."""

    def __init__(self, row: Row) -> None:
        self._row = row
        self.unreadable: str | None = None

    def text(self, field: str, max_length: int = MAX_NAME_LENGTH) -> str | None:
        try:
            return optional_text(self._row, field, max_length)
        except Unreadable:
            self.unreadable = field
            return None

    def date(self, field: str) -> date | None:
        text = self.text(field)
        value = parse_date(text)
        if text is not None and value is None:
            self.unreadable = field
        return value

    def link(self, field: str) -> str | None:
        try:
            return linked_id(self._row, field)
        except Unreadable:
            self.unreadable = field
            return None

    def phones(self) -> tuple[str, ...]:
        rows = self._row.get("phones") or []
        try:
            if not isinstance(rows, list) or len(rows) > MAX_PHONES or not all(isinstance(each, dict) for each in rows):
                raise Unreadable("phones")
            numbers = [optional_text(each, "number", MAX_PHONE_LENGTH) for each in rows]
        except Unreadable:
            self.unreadable = "phones"
            return ()
        return tuple(number for number in numbers if number)


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
    """The online-booking windows that a weekly schedule template opens within a span. Raises Unreadable."""
    operatory, weekday = linked_id(row, "operatory"), row.get("dayOfWeek")
    if not row.get("bookOnline") or operatory is None:
        return []
    if weekday not in _WEEKDAYS:
        raise Unreadable("dayOfWeek")
    begins, ends = _local_time(row, "start"), _local_time(row, "end")
    providers, reasons = _ids(row, "providers"), _ids(row, "reasons")
    opened: list[Window] = []
    day = around.start.astimezone(tz).date()
    while day <= around.end.astimezone(tz).date():
        if day.weekday() == _WEEKDAYS.index(weekday):
            last_day = day if ends > time(0) else day + timedelta(days=1)
            start = instant(day, begins, tz)
            opened.append(
                Window(
                    time=Interval(start=start, end=max(start, instant(last_day, ends, tz))),
                    operatory=operatory,
                    providers=providers,
                    reasons=reasons,
                )
            )
        day += timedelta(days=1)
    return opened


def _local_time(row: Row, field: str) -> time:
    """A time on the location's clock. A zone after it is ignored, and midnight is 00:00 at either end of the day."""
    try:
        return time.fromisoformat(str(row.get(field)).replace("24:00", "00:00")).replace(tzinfo=None)
    except ValueError:
        raise Unreadable(field) from None


def _ids(row: Row, field: str) -> tuple[str, ...]:
    links = row.get(field) or []
    if not isinstance(links, list):
        raise Unreadable(field)
    ids = [readable_id(link.get("id") if isinstance(link, dict) else link) for link in links]
    if None in ids:  # without it, the window would be open to all
        raise Unreadable(field)
    return tuple(each for each in ids if each is not None)
