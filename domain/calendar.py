"""The contents of a practice system's calendar, in terms that are the same for every system."""

from collections.abc import Collection
from enum import StrEnum

from domain.base import Value
from domain.interval import Interval
from domain.slot import Slot


class AppointmentStatus(StrEnum):
    """Where an appointment stands in the practice system."""

    TENTATIVE = "tentative"
    """Our hold before it is confirmed, or an appointment that the system calls unconfirmed."""
    CONFIRMED = "confirmed"
    ARRIVED = "arrived"
    COMPLETED = "completed"
    BROKEN = "broken"
    """Cancelled, but still shown in the calendar."""
    NO_SHOW = "no_show"

    @property
    def occupies_time(self) -> bool:
        """Whether the appointment keeps its provider and operatory busy."""
        return self not in _FREE_STATUSES


_FREE_STATUSES = (AppointmentStatus.BROKEN, AppointmentStatus.NO_SHOW)


class LandingState(StrEnum):
    """How far one of our writes has come on its way to the office system."""

    ACCEPTED = "accepted"
    """The partner accepted the write and will pass it on."""
    LANDED = "landed"
    """The office system has it."""
    REFUSED = "refused"
    """The office system refused it, without a reason."""
    TIMED_OUT = "timed_out"
    """The partner could not reach the office system before the visit's start."""
    INCOMPLETE = "incomplete"
    """The partner does not know whether the office system has it. A person must look."""


class Appointment(Value):
    """One appointment in the practice system. Ids are those of the practice system, as text."""

    id: str
    time: Interval
    provider: str
    other_provider: str | None = None
    operatory: str
    patient: str
    status: AppointmentStatus
    reference: str | None = None
    """Our marker, if the note has one. Then one of our bookings wrote this appointment."""
    landing: LandingState = LandingState.LANDED

    @property
    def slot(self) -> Slot:
        return Slot(time=self.time, provider=self.provider, operatory=self.operatory)

    @property
    def providers(self) -> tuple[str, ...]:
        return (self.provider,) if self.other_provider is None else (self.provider, self.other_provider)

    def creation_order(self) -> tuple[int, str]:
        """Sort key: the appointment that was created first comes first. Practice systems assign rising numbers."""
        return (int(self.id), "") if self.id.isdecimal() else (0, self.id)


class Block(Value):
    """Time that the practice closed, such as a lunch, a meeting or a holiday.

    ``None`` for the operatory or provider means all of them. With both set, the block closes only the time of this
    provider in this operatory.
    """

    time: Interval
    operatory: str | None = None
    provider: str | None = None
    is_guess: bool = False
    """The row could not be read completely, so this is all that it may close. It may close less, or nothing."""


class Window(Value):
    """Time in one operatory that the practice's own schedule template opens for online booking."""

    time: Interval
    operatory: str
    providers: tuple[str, ...] = ()
    """Who works in it. Empty: any provider."""
    reasons: tuple[str, ...] = ()
    """The visit reasons that it is for. Empty: any reason."""


class Calendar(Value):
    """One live reading of one location's calendar, complete within ``span``."""

    span: Interval
    appointments: tuple[Appointment, ...] = ()
    blocks: tuple[Block, ...] = ()
    windows: tuple[Window, ...] | None = None
    """``None`` if the practice system has no templates, the practice does not use them, or they were not requested."""
    inactive_providers: frozenset[str] = frozenset()
    """Providers whom the practice system does not list as active any more. They cannot be booked."""
    inactive_operatories: frozenset[str] = frozenset()

    def with_busy_elsewhere(self, other: "Calendar", providers: Collection[str]) -> "Calendar":
        """A copy that also has what occupies these providers in another location's calendar."""
        visits = (a for a in other.appointments if not set(a.providers).isdisjoint(providers))
        absences = (b for b in other.blocks if b.provider in providers)
        return self.model_copy(
            update={"appointments": (*self.appointments, *visits), "blocks": (*self.blocks, *absences)}
        )


class EventKind(StrEnum):
    """What a practice system reports on its own."""

    LANDING = "landing"
    """A queued write ended; ``CalendarEvent.landing`` says how."""
    CHANGED = "changed"
    """Somebody moved, confirmed, broke or otherwise changed the appointment."""
    CHANGE_FAILED = "change_failed"
    """A confirmation, move or cancellation of ours did not reach the office system."""
    CREATED = "created"
    """The appointment is new in the calendar."""


class CalendarEvent(Value):
    """An event about one appointment.

    It is only a hint. It may arrive twice, late or out of order, so read the calendar before you act on it.
    """

    kind: EventKind
    account: str
    """The institution's name at the partner."""
    appointment_id: str
    reference: str | None = None
    """Our marker, if the event includes the note."""
    is_foreign: bool = False
    """The event shows both places where we put our marker, and neither has one: another program wrote it."""
    landing: LandingState | None = None
    key: str
    """Equal for every delivery of the same event."""


class OfficeOnline(Value):
    """Office systems accept writes again."""

    account: str
    """The institution's name at the partner."""
    locations: tuple[str, ...] = ()
    """The practice system's ids of the locations. Empty: the partner does not say which."""
    key: str
    """Equal for every delivery of the same event."""
