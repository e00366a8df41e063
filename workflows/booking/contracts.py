"""What travels into and out of a booking workflow. Only additive changes are allowed: open bookings must replay."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

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
OTHER_BOOKING = "OtherBooking"
"""Error type of an update that is about another booking."""

MAX_WAIT = timedelta(seconds=30)
"""The longest time that one update may wait for the decision."""
MAX_WAITS = 200
"""How many updates may wait for one booking's decision, all together. Temporal accepts 2,000 updates of a workflow, and
those of the desk and of the patient must never be refused for want of room. Queries have no limit."""
MAX_YEARS_AHEAD = 5
"""A visit is at most so many years ahead."""
SUBMIT_UPDATE_ID, WAIT_UPDATE_ID = "submit", "wait"
"""The ids of the updates that wait. Callers who repeat a call attach to the same update."""

MAX_NOTE_LENGTH = 500
"""Of ``Resolution.note``, in characters."""

_PREFIX = "booking-"


def workflow_id(request_id: str) -> str:
    return f"{_PREFIX}{request_id}"


def request_id_of(booking_id: str) -> str:
    """The request id in a workflow id. A request id is returned as it is."""
    return booking_id.removeprefix(_PREFIX)


Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$")]
"""An account name or an id, without blanks, so that nobody writes a sentence about a person into it."""


class SignalName(StrEnum):
    """The signals that a booking knows."""

    RESOLVE = "resolve"
    SCHEDULE_CHANGED = "schedule_changed"
    OFFICE_CAME_ONLINE = "office_came_online"


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
    request_id: str = ""
    """The booking it is about. Copied to another booking, it is refused."""
    by: str = "staff"
    """Who decided: an account name, never a patient's name."""
    patient: str | None = None
    """With ``patient``: the chart's id in the practice system."""
    start: Instant | None = None
    """With ``start``: the new time. ``provider`` and ``operatory`` (practice-system ids) narrow it."""
    provider: str | None = None
    operatory: str | None = None
    note: str = Field(default="", max_length=MAX_NOTE_LENGTH, repr=False)
    """With ``decline``: why, for the practice's own record."""

    @model_validator(mode="after")
    def _check_complete(self) -> Self:
        if self.kind is ResolutionKind.PATIENT and not self.patient:
            raise ValueError("resolution 'patient' needs patient: the chart's id")
        if self.kind is ResolutionKind.START and self.start is None:
            raise ValueError("resolution 'start' needs start: a time with offset")
        return self


class PlainResolution(Value):
    """A resolution as somebody types it into Temporal's UI, without encryption.

    Temporal stores it in clear, so it has no field for free text, and it must say who sent it.
    """

    model_config = ConfigDict(extra="forbid")

    kind: ResolutionKind
    by: Id
    """The account name of whoever decides."""
    exception_number: int | None = None
    request_id: Id | None = None
    patient: Id | None = None
    start: Instant | None = None
    provider: Id | None = None
    operatory: Id | None = None

    def as_resolution(self) -> Resolution:
        return Resolution.model_validate(self.model_dump(exclude_none=True))

    @model_validator(mode="after")
    def _check_complete(self) -> Self:
        self.as_resolution()
        return self


class RequestedTime(Value):
    """A time for the visit."""

    start: Instant
    provider: str | None = None
    operatory: str | None = None
    request_id: str = ""
    """The booking it is for. Copied to another booking, it is refused."""
