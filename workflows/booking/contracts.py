"""What travels into and out of a booking workflow. Only additive changes are allowed: open bookings must replay."""

from datetime import timedelta
from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from domain.base import Value
from domain.booking import BookingView
from domain.calendar import EventKind, LandingState
from domain.iso_text import Instant
from domain.policy import BookingPolicy
from domain.request import BookingRequest

ANSWER_TIMEOUT = timedelta(seconds=3)
"""A patient waits this long for the decision; then the honest answer is ``received``."""
ANSWER_GRACE = timedelta(seconds=3)
"""A caller listens this much longer than its timeout. A later answer reaches nobody."""
BY_PATIENT = "patient"
"""``Resolution.by`` when the patient picked another time."""
NOT_ALLOWED = "NotAllowed"
"""Error type of an update that the booking's state does not allow."""

_PREFIX = "booking-"


def workflow_id(request_id: str) -> str:
    return f"{_PREFIX}{request_id}"


def request_id_of(booking_id: str) -> str:
    """The request id in a workflow id. A request id is returned as it is."""
    return booking_id.removeprefix(_PREFIX)


class BookingInput(Value):
    """The workflow's input: the request, and the rules that applied when it was made."""

    request: BookingRequest
    reference: str
    policy: BookingPolicy
    provider: str | None = None
    """The requested provider's id in the practice system."""
    digest: str
    """SHA-256 of the request. It tells a repeated request from another one with the same id."""


class AppointmentEvent(Value):
    """Something happened to an appointment of this booking. It is a hint to look, never proof."""

    kind: EventKind
    appointment_id: str
    landing: LandingState | None = None


class Answer(Value):
    """The answer to whoever waits for the decision."""

    view: BookingView
    digest: str


class WaitOptions(Value):
    """How long a caller waits for the decision."""

    timeout: timedelta


class ResolutionKind(StrEnum):
    APPROVE = "approve"
    DECLINE = "decline"
    PATIENT = "patient"
    NEW_PATIENT = "new_patient"
    START = "start"
    RETRY = "retry"


class Resolution(Value):
    """The desk's answer to an exception."""

    kind: ResolutionKind
    exception_number: int | None = None
    """The exception it answers, as the booking view shows it. If another one is open by now, it is refused."""
    by: str = "staff"
    """Who decided: an account name, never a patient's name."""
    patient: str | None = None
    """With ``patient``: the chart's id in the practice system."""
    start: Instant | None = None
    """With ``start``: the new time. ``provider`` and ``operatory`` (practice-system ids) narrow it."""
    provider: str | None = None
    operatory: str | None = None
    note: str = Field(default="", max_length=500, repr=False)
    """With ``decline``: why, for the practice's own record."""

    @model_validator(mode="after")
    def _check_complete(self) -> Self:
        if self.kind is ResolutionKind.PATIENT and not self.patient:
            raise ValueError("resolution 'patient' needs patient: the chart's id")
        if self.kind is ResolutionKind.START and self.start is None:
            raise ValueError("resolution 'start' needs start: a time with offset")
        return self


class RequestedTime(Value):
    """A time for the visit."""

    start: Instant
    provider: str | None = None
    operatory: str | None = None
