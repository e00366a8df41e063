"""NexHealth's rows, read tolerantly, and ours, written as the vendor wants them."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from adapters.errors import Misconfigured, Refused, Unreadable
from adapters.practice_system import Hold, NewChart
from adapters.rows import closed, date_or_none, when
from domain.calendar import Appointment, AppointmentStatus, Block, LandingState, Window
from domain.interval import Interval
from domain.local_time import instant
from domain.patient import Chart, ChartStatus
from domain.phone import north_american_digits
from domain.reference import reference_in
from domain.request import Person, Sex

LONGEST_NOTE = 128
UNPUBLISHED = "https://holdfast.invalid"
"""Stands for the booking page where there is none yet."""
NOWHERE = ""
"""The operatory or provider of an appointment that has none."""
_GENDERS = {Sex.FEMALE: "Female", Sex.MALE: "Male", Sex.OTHER: "Other", None: "Other"}
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, ArithmeticError)
"""What comes of a row that is not as the vendor documents it."""
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

Row = dict[str, Any]


def instant_text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def number(text: str, what: str) -> int:
    """An id as NexHealth wants it. Raises Misconfigured."""
    if not (text.isascii() and text.isdecimal()):
        raise Misconfigured(f"{what}: NexHealth's ids are whole numbers", code="not_a_number")
    return int(text)


def _id(row: Row, field: str) -> str | None:
    value = row.get(field)
    return None if value in (None, 0, "") else str(value)


def _time(row: Row) -> Interval:
    start, end = when(row, "start_time"), when(row, "end_time")
    if end < start:
        raise Unreadable("end_time")
    return Interval(start=start, end=end)


def is_block(row: Row) -> bool:
    """Closed time; so is an appointment of nobody nowhere, because it may be in anybody's way."""
    return bool(row.get("unavailable")) or (_id(row, "provider_id") is None and _id(row, "operatory_id") is None)


def blocks(row: Row) -> Iterator[Block]:
    return closed(_time(row), _id(row, "operatory_id"), _id(row, "provider_id"))


def appointment(row: Row, *, reads_notes: bool) -> Appointment:
    """Raises Unreadable for a row that lacks what every appointment has.

    Where the practice system's notes are not read, what we noted beside the appointment at NexHealth counts too.
    """
    reference = reference_in(row.get("note"))
    if reference is None and not reads_notes:
        reference = reference_in(row.get("referrer"))
    try:
        time = _time(row)
    except Unreadable as unclear:
        raise Unreadable(unclear.field, reference) from None
    return Appointment(
        id=str(row["id"]),
        time=time,
        provider=_id(row, "provider_id") or NOWHERE,
        operatory=_id(row, "operatory_id") or NOWHERE,
        patient=_id(row, "patient_id") or "",
        status=_status(row),
        reference=reference,
        landing=LandingState.LANDED if row.get("foreign_id") else LandingState.ACCEPTED,
    )


def _status(row: Row) -> AppointmentStatus:
    """There is no status field: the last thing that happened decides."""
    if row.get("cancelled"):
        return AppointmentStatus.BROKEN
    if row.get("patient_missed"):
        return AppointmentStatus.NO_SHOW
    if row.get("checked_out"):
        return AppointmentStatus.COMPLETED
    if row.get("checkin_at"):
        return AppointmentStatus.ARRIVED
    confirmed = row.get("confirmed") or row.get("patient_confirmed")
    return AppointmentStatus.CONFIRMED if confirmed else AppointmentStatus.TENTATIVE


def chart(row: Row) -> Chart:
    bio = row.get("bio") or {}
    phones = [bio.get(f"{kind}phone_number") for kind in ("", "cell_", "home_", "work_")]
    return Chart(
        id=str(row["id"]),
        first_name=row.get("first_name") or "",
        last_name=row.get("last_name") or "",
        date_of_birth=date_or_none(bio.get("date_of_birth")),
        email=row.get("email") or None,
        phones=tuple(dict.fromkeys(str(phone) for phone in phones if phone)),
        status=_chart_status(row, bio),
    )


def _chart_status(row: Row, bio: Row) -> ChartStatus:
    if row.get("inactive"):
        return ChartStatus.INACTIVE
    if bio.get("non_patient"):
        return ChartStatus.NON_PATIENT
    return ChartStatus.NEW if bio.get("new_patient") else ChartStatus.ACTIVE


def new_appointment(hold: Hold, public_url: str) -> Row:
    """The reference goes into the note, and beside it for systems whose notes NexHealth does not read."""
    body: Row = {
        "patient_id": number(hold.patient, "patient"),
        "provider_id": number(hold.slot.provider, "provider"),
        "operatory_id": number(hold.slot.operatory, "operatory"),
        "start_time": instant_text(hold.slot.time.start),
        "end_time": instant_text(hold.slot.time.end),
        "note": note(hold),
        "is_guardian": hold.dependent is not None,
        "is_new_clients_patient": hold.new_patient,
        "referrer": f"{public_url or UNPUBLISHED}/?ref={hold.reference}",
    }
    if hold.reason:
        body["appointment_type_id"] = number(hold.reason, "reason")
    if hold.procedures:
        body["descriptor_ids"] = [number(procedure, "procedures") for procedure in hold.procedures]
    if hold.dependent is not None:
        body["patient"] = {
            "first_name": hold.dependent.first_name,
            "last_name": hold.dependent.last_name,
            "bio": {
                "date_of_birth": hold.dependent.date_of_birth.isoformat(),
                "gender": _GENDERS[hold.dependent.sex],
            },
        }
    return {"appt": body}


def note(hold: Hold) -> str:
    """Our reference first: whatever is cut off, it is not that."""
    text = " ".join(f"ref:{hold.reference} Online booking: {hold.title}. {hold.note}".split())
    return text if len(text) <= LONGEST_NOTE else text[: LONGEST_NOTE - 1] + "…"


def new_patient(new: NewChart) -> Row:
    """Raises Refused where the patient left out what NexHealth insists on."""
    person = new.person
    if person.email is None:
        raise Refused("NexHealth makes no chart without an email address", code="email_missing")
    bio: Row = {
        "date_of_birth": person.date_of_birth.isoformat(),
        "phone_number": _phone(person),
        "gender": _GENDERS[person.sex],
    }
    if person.address is not None:
        street = ", ".join(line for line in (person.address.line1, person.address.line2) if line)
        bio |= {"street_address": street, "city": person.address.city}
        bio |= {"state": person.address.state, "zip_code": person.address.postal_code[:5]}
    local, _, host = person.email.rpartition("@")
    return {
        "provider": {"provider_id": number(new.provider, "provider")},
        "patient": {
            "first_name": person.first_name,
            "last_name": person.last_name,
            "email": f"{local}@{host.lower()}",
            "bio": bio,
        },
        "return_existing_if_match": True,
    }


def _phone(person: Person) -> str:
    digits = north_american_digits(person.mobile) if person.mobile else None
    if digits is None:
        code = "invalid_phone" if person.mobile else "phone_missing"
        raise Refused("NexHealth makes no chart without a phone number of North America", code=code)
    return digits


def windows(rows: Sequence[Row], around: Interval, tz: ZoneInfo, operatories: Sequence[str]) -> list[Window]:
    """Working hours as the windows they open within a span. Hours of no operatory open every one.

    Hours that cannot be read open nothing.
    On a date for which a provider's hours are set apart, only those count.
    """
    found: list[Window] = []
    day = around.start.astimezone(tz).date()
    while day <= around.end.astimezone(tz).date():
        today = [row for row in rows if row.get("active") is not False and _applies(row, day)]
        apart = {row.get("provider_id") for row in today if row.get("specific_date")}
        for row in today:
            if row.get("specific_date") or row.get("provider_id") not in apart:
                with suppress(*UNREADABLE):
                    found += list(_opened(row, day, tz, operatories))
        day += timedelta(days=1)
    return found


def _opened(row: Row, day: date, tz: ZoneInfo, operatories: Sequence[str]) -> Iterator[Window]:
    opened = Interval(start=_clock(day, str(row["begin_time"]), tz), end=_clock(day, str(row["end_time"]), tz))
    own, provider = _id(row, "operatory_id"), _id(row, "provider_id")
    for operatory in operatories if own is None else (own,):
        yield Window(
            time=opened,
            operatory=operatory,
            providers=() if provider is None else (provider,),
            reasons=tuple(str(kind["id"]) for kind in row.get("appointment_types") or ()),
        )


def _clock(day: date, text: str, tz: ZoneInfo) -> datetime:
    """A time of day; midnight at its end is "24:00"."""
    if text.startswith("24:00"):
        return instant(day + timedelta(days=1), time(0), tz)
    return instant(day, time.fromisoformat(text), tz)


def _applies(row: Row, day: date) -> bool:
    try:
        return _recurs(row, day)
    except UNREADABLE:
        return False


def _recurs(row: Row, day: date) -> bool:
    if row.get("specific_date"):
        return date_or_none(row["specific_date"]) == day
    recurrence = row.get("custom_recurrence")
    if not recurrence:
        return _WEEKDAYS[day.weekday()] in (row.get("days") or ())
    since, every = date_or_none(recurrence.get("ref")), int(recurrence.get("num") or 1)
    if since is None or day < since:
        return False
    if recurrence.get("unit") == "month":
        months = (day.year - since.year) * 12 + day.month - since.month
        return day.day == since.day and months % every == 0
    return (day - since).days % (every * (7 if recurrence.get("unit") == "week" else 1)) == 0
