"""One patient's request: the input of the API and of the booking workflow."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, EmailStr, Field, StrictBool, StringConstraints

from domain.base import Value
from domain.iso_text import Day, Instant
from domain.patient import Address
from domain.phone import mobile_e164
from domain.text import normalize_text, validate_one_line


def _validate_note(text: str) -> str:
    text = normalize_text(text)
    if any(not (c.isprintable() or c in "\n\t") for c in text):
        raise ValueError("control characters are not allowed")
    return text


Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100),
    AfterValidator(validate_one_line),
]
Note = Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000), AfterValidator(_validate_note)]
Mobile = Annotated[str, Field(max_length=40), AfterValidator(mobile_e164)]
Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""An opaque id of up to 64 letters, digits, dots, dashes and underscores. It must not identify a person."""


class Sex(StrEnum):
    """As practice systems record it."""

    FEMALE = "F"
    MALE = "M"
    OTHER = "O"


class Consent(Value):
    """Consent to messages on each channel. Only a real ``true`` counts, not 1 or "yes"."""

    email: StrictBool = False
    sms: StrictBool = False


class Person(Value):
    """A person as typed into the form."""

    first_name: Name = Field(repr=False)
    last_name: Name = Field(repr=False)
    date_of_birth: Day = Field(repr=False)
    email: EmailStr | None = Field(default=None, repr=False)
    mobile: Mobile | None = Field(default=None, repr=False)
    sex: Sex | None = None
    address: Address | None = Field(default=None, repr=False)


class BookingRequest(Value):
    """A patient's request for one visit. ``start`` keeps its original offset, so compare instants, not text."""

    request_id: Key
    location: Key
    service: Key
    start: Instant
    provider: Key | None = None
    """A provider's name in ``practice.toml``, or ``None`` for any provider of the service."""
    patient: Person
    guardian: Person | None = None
    """Who books for a patient without a chart, such as a parent for a child. If the practice system cannot link the
    two, the patient gets a chart like any new patient."""
    returning: StrictBool | None = None
    """Whether the patient says they have been here before. ``None``: they were not asked."""
    note: Note = Field(default="", repr=False)
    consent: Consent = Consent()
    language: Literal["en", "es"] = "en"

    @property
    def message_recipient(self) -> Person:
        """The patient, or the guardian if the patient has neither an email nor a mobile number."""
        patient_is_unreachable = self.patient.email is None and self.patient.mobile is None
        return self.guardian if patient_is_unreachable and self.guardian is not None else self.patient
