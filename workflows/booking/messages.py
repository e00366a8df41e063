"""What travels into and out of a booking workflow. Additive changes only: older histories must replay."""

from datetime import timedelta
from enum import StrEnum
from typing import Self

from pydantic import AwareDatetime, Field, model_validator

from domain.base import Value
from domain.booking import BookingView
from domain.calendar import EventKind, LandingState
from domain.policy import BookingPolicy
from domain.request import BookingRequest

ANSWER_TIMEOUT = timedelta(seconds=3)
"""A patient waits this long for the decision; then the honest answer is "received"."""
ANSWER_GRACE = timedelta(seconds=3)
"""So much longer whoever asked listens; who is answered later than that hears nothing."""
BY_PATIENT = "patient"
"""Who decided, where the patient picked another time."""
NOT_ALLOWED = "NotAllowed"
"""Type of the refusals by which a booking answers what its state does not allow."""


_PREFIX = "booking-"


def workflow_id(request_id: str) -> str:
    return f"{_PREFIX}{request_id}"


def request_id_of(booking: str) -> str:
    """From a workflow id; a request id stays as it is."""
    return booking.removeprefix(_PREFIX)


class BookingInput(Value):
    request: BookingRequest
    reference: str
    policy: BookingPolicy
    provider: str | None = None
    """Practice-system id of the provider asked for."""
    digest: str
    """SHA-256 of the request: the same id with other content is told apart by it."""


class AppointmentEvent(Value):
    """Something happened to an appointment of this booking: a hint to look, never proof."""

    kind: EventKind
    appointment_id: str
    landing: LandingState | None = None


class Answer(Value):
    """What the caller of ``wait_for_decision`` learns."""

    view: BookingView
    digest: str


class WaitOptions(Value):
    """How long a caller is ready to wait for the decision."""

    timeout: timedelta


class ResolutionKind(StrEnum):
    APPROVE = "approve"
    DECLINE = "decline"
    PATIENT = "patient"
    NEW_PATIENT = "new_patient"
    START = "start"
    RETRY = "retry"


class Resolution(Value):
    """A person's decision on an exception."""

    kind: ResolutionKind
    exception_number: int | None = None
    """Which exception it answers, as the booking view shows it. If another one is open by now, it is refused."""
    by: str = "staff"
    """Who decided: an account name, never a patient's."""
    patient: str | None = None
    """``patient``: the chart's practice-system id."""
    start: AwareDatetime | None = None
    """``start``: the new time; ``provider`` and ``operatory`` (practice-system ids) narrow it."""
    provider: str | None = None
    operatory: str | None = None
    note: str = Field(default="", max_length=500, repr=False)
    """``decline``: why, for the practice's own record."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.kind is ResolutionKind.PATIENT and not self.patient:
            raise ValueError("resolution 'patient' needs patient: the chart's id")
        if self.kind is ResolutionKind.START and self.start is None:
            raise ValueError("resolution 'start' needs start: a time with offset")
        return self


class NewTime(Value):
    """The patient picks another time while the first one could not be had."""

    start: AwareDatetime
    provider: str | None = None
    operatory: str | None = None
