"""What a practice system's calendar holds, in our words whatever the system."""

from enum import StrEnum

from domain.base import Value
from domain.interval import Interval
from domain.slot import Slot


class AppointmentStatus(StrEnum):
    TENTATIVE = "tentative"
    """Ours, written and not yet finalized, or any system's "not confirmed yet"."""
    CONFIRMED = "confirmed"
    ARRIVED = "arrived"
    COMPLETED = "completed"
    BROKEN = "broken"
    NO_SHOW = "no_show"

    @property
    def occupies_chair(self) -> bool:
        return self not in _CHAIR_EMPTY


_CHAIR_EMPTY = (AppointmentStatus.BROKEN, AppointmentStatus.NO_SHOW)


class LandingState(StrEnum):
    """How far a write of ours has come towards the practice's own system."""

    ACCEPTED = "accepted"
    """Taken by the partner that speaks to the practice's system; on its way."""
    LANDED = "landed"
    """In the practice's own system."""
    REFUSED = "refused"
    """The practice's own system would not have it; why is not told."""
    TIMED_OUT = "timed_out"
    """The practice's own system could not be reached before the visit's start."""
    INCOMPLETE = "incomplete"
    """Not known to be in the practice's own system, nor known not to be: a person must look."""


class Appointment(Value):
    """One appointment in the practice system. Ids are the practice system's own, as text."""

    id: str
    time: Interval
    provider: str
    other_provider: str | None = None
    operatory: str
    patient: str
    status: AppointmentStatus
    reference: str | None = None
    """Our marker, where the note carries one: this appointment was written by a booking of ours."""
    landing: LandingState = LandingState.LANDED

    @property
    def slot(self) -> Slot:
        return Slot(time=self.time, provider=self.provider, operatory=self.operatory)

    @property
    def providers(self) -> tuple[str, ...]:
        return (self.provider,) if self.other_provider is None else (self.provider, self.other_provider)

    def order(self) -> tuple[int, str]:
        """Sort key that puts the appointment written first in front: ids rise, numerically."""
        return (int(self.id), "") if self.id.isdecimal() else (0, self.id)


class Block(Value):
    """Time the practice closed: a lunch, a meeting, a holiday. ``None`` closes all of that kind.

    With both, only this provider in this chair is meant.
    """

    time: Interval
    operatory: str | None = None
    provider: str | None = None


class Window(Value):
    """Time the practice's own schedule template opens for online booking in one operatory."""

    time: Interval
    operatory: str
    providers: tuple[str, ...] = ()
    """Who works in it; empty: anybody."""
    reasons: tuple[str, ...] = ()
    """Visit reasons it is meant for; empty: any."""


class Calendar(Value):
    """All that is known about one location over ``span``: one live reading of the practice system."""

    span: Interval
    appointments: tuple[Appointment, ...] = ()
    blocks: tuple[Block, ...] = ()
    windows: tuple[Window, ...] | None = None
    """``None`` where the practice system has no templates, the practice does not use them, or nobody asked."""


class EventKind(StrEnum):
    """What a practice system tells us of by itself."""

    LANDING = "landing"
    """How a queued write ended: ``CalendarEvent.landing`` says."""
    CHANGED = "changed"
    """The appointment was moved, confirmed, broken or otherwise changed, by anybody."""
    CHANGE_FAILED = "change_failed"
    """A confirmation, move or cancellation of ours did not reach the practice's own system."""
    CREATED = "created"


class CalendarEvent(Value):
    """News of one appointment. Only a hint: may come twice, late or out of order, so read before acting."""

    kind: EventKind
    account: str
    """Whose calendar: the institution's name at the partner."""
    appointment_id: str
    reference: str | None = None
    """Our marker, where the event carries the note."""
    landing: LandingState | None = None
    key: str
    """The same for every delivery of the same news."""


class OfficeOnline(Value):
    """Practices' own systems take writes in again."""

    account: str
    locations: tuple[str, ...] = ()
    """Practice-system ids; none: it is not said which."""
    key: str
