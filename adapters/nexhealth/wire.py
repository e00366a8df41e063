"""NexHealth's rows as our values, read tolerantly, and our values as the rows that NexHealth wants."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.errors import Misconfigured, Refused, Unreadable
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
from domain.calendar import Appointment, AppointmentStatus, Block, LandingState
from domain.interval import Interval
from domain.patient import UNREADABLE_CHART, Chart, ChartStatus
from domain.phone import north_american_digits
from domain.reference import reference_in
from domain.request import Person, Sex

MAX_NOTE_LENGTH = 128
"""NexHealth's limit, in characters."""
PLACEHOLDER_URL = "https://holdfast.invalid"
"""Stands for the booking page if there is none yet."""
NO_ID = ""
"""The operatory or provider of an appointment that has none."""
_GENDERS = {Sex.FEMALE: "Female", Sex.MALE: "Male", Sex.OTHER: "Other", None: "Other"}
"""NexHealth makes everybody "Female" who comes without a gender, so one is always sent."""

Row = dict[str, Any]


def instant_text(moment: datetime) -> str:
    """An instant as NexHealth wants it: UTC with ``Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def numeric_id(text: str, field: str) -> int:
    """An id as NexHealth wants it. Raises Misconfigured with the name of the field."""
    if not (text.isascii() and text.isdecimal()):
        raise Misconfigured(f"{field}: NexHealth's ids are whole numbers", code="not_a_number")
    return int(text)


def optional_id(row: Row, field: str) -> str | None:
    """The id in a field. NexHealth writes "none" as null or 0. Raises Unreadable."""
    value = row.get(field)
    if value is None or value in ("", 0):
        return None
    link = readable_id(value)
    if link is None:
        raise Unreadable(field)
    return link


def is_at(row: Row, location: str) -> bool:
    """Whether the row is of this location. One whose location is missing or unreadable may be."""
    return readable_id(row.get("location_id") or None) in (None, location)


def is_cancelled(row: Row) -> bool:
    """Cancelled rows occupy nothing, so only what NexHealth documents counts."""
    return row.get("cancelled") is True


def _time(row: Row) -> Interval:
    start, end = parse_set_instant(row, "start_time"), parse_set_instant(row, "end_time")
    if end < start:
        raise Unreadable("end_time")
    return Interval(start=start, end=end)


def is_block(row: Row) -> bool:
    """Whether the row closes time: NexHealth shows blocks as appointments that are ``unavailable``.

    An appointment without provider and operatory counts as a block too, because it may occupy any of them.
    """
    has_provider = optional_id(row, "provider_id") is not None
    has_operatory = optional_id(row, "operatory_id") is not None
    return bool(row.get("unavailable")) or not (has_provider or has_operatory)


def blocks(row: Row) -> Iterator[Block]:
    """Raises Unreadable."""
    return blocks_for_closure(_time(row), optional_id(row, "operatory_id"), optional_id(row, "provider_id"))


def reference(row: Row, *, reads_notes: bool) -> str | None:
    """Our reference, if the row has it.

    ``reads_notes``: NexHealth reads the notes of the practice system. If it does not, our mark in the referrer,
    which NexHealth keeps, counts as well.
    """
    return reference_in(row.get("note")) or (None if reads_notes else reference_in(row.get("referrer")))


def possible_blocks(row: Row, read_span: Interval, longest: timedelta) -> list[Block]:
    """What an unreadable row may occupy. Where its provider or operatory is unreadable, it may be any."""
    if not _status(row).occupies_time:
        return []
    try:
        time = _time(row)
    except Unreadable:
        time = possible_time(readable_instant(row, "start_time"), readable_instant(row, "end_time"), read_span, longest)
    try:
        return list(blocks_for_closure(time, optional_id(row, "operatory_id"), optional_id(row, "provider_id")))
    except Unreadable:
        return [Block(time=time)]


def appointment(row: Row, *, reads_notes: bool) -> Appointment:
    """Raises Unreadable if id, time, provider or operatory cannot be read. The error carries our reference if the row
    has it. ``reads_notes``: as for ``reference``.
    """
    our_reference = reference(row, reads_notes=reads_notes)
    try:
        return Appointment(
            id=required_id(row),
            time=_time(row),
            provider=optional_id(row, "provider_id") or NO_ID,
            operatory=optional_id(row, "operatory_id") or NO_ID,
            patient=readable_id(row.get("patient_id") or None) or "",
            status=_status(row),
            reference=our_reference,
            landing=LandingState.LANDED if row.get("foreign_id") else LandingState.ACCEPTED,
        )
    except Unreadable as error:
        raise Unreadable(error.field, our_reference) from None


def _status(row: Row) -> AppointmentStatus:
    """NexHealth has no status field. The last thing that happened to the appointment decides."""
    if is_cancelled(row):
        return AppointmentStatus.BROKEN
    if row.get("patient_missed") is True:
        return AppointmentStatus.NO_SHOW
    if row.get("checked_out"):
        return AppointmentStatus.COMPLETED
    if row.get("checkin_at"):
        return AppointmentStatus.ARRIVED
    is_confirmed = row.get("confirmed") or row.get("patient_confirmed")
    return AppointmentStatus.CONFIRMED if is_confirmed else AppointmentStatus.TENTATIVE


def chart(row: Row) -> Chart:
    """A field that is unreadable counts as missing, and the chart as one that may be anybody's."""
    bio, chart_id = row.get("bio") or {}, readable_id(row.get("id"))
    unreadable = None if chart_id else "id"
    if not isinstance(bio, dict):
        bio, unreadable = {}, "bio"

    def text(source: Row, field: str, max_length: int = MAX_NAME_LENGTH) -> str | None:
        nonlocal unreadable
        try:
            return optional_text(source, field, max_length)
        except Unreadable:
            unreadable = field
            return None

    phones = [text(bio, f"{kind}phone_number", MAX_PHONE_LENGTH) for kind in ("", "cell_", "home_", "work_")]
    birth_date_text = text(bio, "date_of_birth")
    date_of_birth = parse_date(birth_date_text)
    if birth_date_text is not None and date_of_birth is None:
        unreadable = "date_of_birth"
    return Chart(
        id=chart_id or UNREADABLE_CHART,
        first_name=text(row, "first_name") or "",
        last_name=text(row, "last_name") or "",
        date_of_birth=date_of_birth,
        email=text(row, "email", MAX_EMAIL_LENGTH),
        phones=tuple(dict.fromkeys(phone for phone in phones if phone)),
        status=_chart_status(row, bio),
        unreadable=unreadable,  # last: the fields above set it
    )


def _chart_status(row: Row, bio: Row) -> ChartStatus:
    if row.get("inactive"):
        return ChartStatus.INACTIVE
    if bio.get("non_patient"):
        return ChartStatus.NON_PATIENT
    return ChartStatus.NEW if bio.get("new_patient") else ChartStatus.ACTIVE


def new_appointment(hold: Hold, public_url: str) -> Row:
    """The body that creates a hold.

    The reference goes into the note, and also into the referrer, for systems whose notes NexHealth does not read.
    For a dependent without a chart, the appointment is on the guardian's chart.
    """
    body: Row = {
        "patient_id": numeric_id(hold.patient, "patient"),
        "provider_id": numeric_id(hold.slot.provider, "provider"),
        "operatory_id": numeric_id(hold.slot.operatory, "operatory"),
        "start_time": instant_text(hold.slot.time.start),
        "end_time": instant_text(hold.slot.time.end),
        "note": note_text(hold),
        "is_guardian": hold.dependent is not None,
        "is_new_clients_patient": hold.new_patient,
        "referrer": f"{public_url or PLACEHOLDER_URL}/?ref={hold.reference}",
    }
    if hold.reason:
        body["appointment_type_id"] = numeric_id(hold.reason, "reason")
    if hold.procedures:
        body["descriptor_ids"] = [numeric_id(procedure, "procedures") for procedure in hold.procedures]
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


def note_text(hold: Hold) -> str:
    """Our reference comes first, so that a note that is too long never loses it."""
    text = " ".join(f"ref:{hold.reference} Online booking: {hold.title}. {hold.note}".split())
    return text if len(text) <= MAX_NOTE_LENGTH else text[: MAX_NOTE_LENGTH - 1] + "…"


def new_patient(new: NewChart) -> Row:
    """The body that creates a chart. Raises Refused if the patient left out what NexHealth requires."""
    person = new.person
    if person.email is None:
        raise Refused("NexHealth requires an email address for a new chart", code="email_missing")
    bio: Row = {
        "date_of_birth": person.date_of_birth.isoformat(),
        "phone_number": _phone(person),
        "gender": _GENDERS[person.sex],
    }
    if person.address is not None:
        street = ", ".join(line for line in (person.address.line1, person.address.line2) if line)
        bio |= {"street_address": street, "city": person.address.city}
        bio |= {"state": person.address.state, "zip_code": person.address.postal_code[:5]}
    local_part, _, host = person.email.rpartition("@")
    return {
        "provider": {"provider_id": numeric_id(new.provider, "provider")},
        "patient": {
            "first_name": person.first_name,
            "last_name": person.last_name,
            "email": f"{local_part}@{host.lower()}",
            "bio": bio,
        },
        "return_existing_if_match": True,
    }


def _phone(person: Person) -> str:
    digits = north_american_digits(person.mobile) if person.mobile else None
    if digits is None:
        code = "invalid_phone" if person.mobile else "phone_missing"
        raise Refused("NexHealth requires a North American phone number for a new chart", code=code)
    return digits
