"""One patient's request, as it arrives at the edge and travels as the workflow's input."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, EmailStr, Field, StrictBool, StringConstraints

from domain.base import Value
from domain.patient import Address
from domain.phone import e164
from domain.text import one_line, plain


def _printable(text: str) -> str:
    text = plain(text)
    if any(not (c.isprintable() or c in "\n\t") for c in text):
        raise ValueError("control characters are not allowed")
    return text


def _written_out(value: object) -> object:
    """A number, in quotes or without, would be taken as seconds since 1970."""
    if isinstance(value, int | float) or (isinstance(value, str) and value.strip().lstrip("+-").isdigit()):
        raise ValueError("must be written out, as in 1988-04-02 or 2026-12-01T09:00:00-08:00")
    return value


Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100),
    AfterValidator(one_line),
]
Note = Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000), AfterValidator(_printable)]
Mobile = Annotated[str, Field(max_length=40), AfterValidator(e164)]
Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""An opaque id: letters, digits, dot, dash and underscore, at most 64; it must say nothing about a person."""
Day = Annotated[date, BeforeValidator(_written_out)]
Instant = Annotated[AwareDatetime, BeforeValidator(_written_out)]


class Sex(StrEnum):
    FEMALE = "F"
    MALE = "M"
    OTHER = "O"


class Consent(Value):
    """Given by true and by nothing that merely looks like it."""

    email: StrictBool = False
    sms: StrictBool = False


class Person(Value):
    """The patient as typed into the form."""

    first_name: Name = Field(repr=False)
    last_name: Name = Field(repr=False)
    date_of_birth: Day = Field(repr=False)
    email: EmailStr | None = Field(default=None, repr=False)
    mobile: Mobile | None = Field(default=None, repr=False)
    sex: Sex | None = None
    address: Address | None = Field(default=None, repr=False)


class BookingRequest(Value):
    """What a patient asks for. ``start`` keeps the offset it was sent with; compare instants, not text."""

    request_id: Key
    location: Key
    service: Key
    start: Instant
    provider: Key | None = None
    """Name of the provider in ``practice.toml``, or ``None`` for anybody who performs the service."""
    patient: Person
    guardian: Person | None = None
    """Who books for a patient without a chart, as a parent does for a child. Where the practice system knows no such
    bookings, the patient gets a chart like anybody new."""
    returning: StrictBool | None = None
    """Whether the patient says to have been here before; ``None``: not asked."""
    note: Note = Field(default="", repr=False)
    consent: Consent = Consent()
    language: Literal["en", "es"] = "en"

    @property
    def reached(self) -> Person:
        """Who is told: the patient, or the guardian where only that one has an email or a phone."""
        has_none = self.patient.email is None and self.patient.mobile is None
        return self.guardian if has_none and self.guardian is not None else self.patient
