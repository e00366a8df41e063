"""What is known of the office system: whether it is online, and what it told about our appointments."""

from dataclasses import dataclass, field
from datetime import datetime

from domain.calendar import EventKind, LandingState
from workflows.booking.contracts import AppointmentEvent

LANDING_PRECEDENCE = (
    LandingState.LANDED,
    None,
    LandingState.INCOMPLETE,
    LandingState.TIMED_OUT,
    LandingState.REFUSED,
)
"""Which of two events about one appointment counts: the later in this list. That an appointment has landed can be
looked up, that it was refused is only told. ``None``: a change of ours was refused."""


@dataclass
class OfficeState:
    checks: int = 0
    """How often we have checked whether the hold has landed."""
    next_check_at: datetime | None = None
    offline_since: datetime | None = None
    """The office system accepted no writes when last asked."""
    online_since: datetime | None = None
    """The office system was reported to be online again at this time."""
    events: dict[str, AppointmentEvent] = field(default_factory=dict)
    """By appointment id: the event with the highest precedence that was not looked into yet."""
    is_overdue: bool = False
    """The hold had not landed when it was last checked, although later writes of others had."""
    was_seen_by_staff: bool = False
    """A person has seen the appointment in the office system; we have not yet."""

    @property
    def is_offline(self) -> bool:
        return self.offline_since is not None

    def plan_check(self, at: datetime) -> None:
        self.next_check_at = at

    def count_check(self) -> None:
        self.checks += 1

    def reset_checks(self) -> None:
        self.checks, self.is_overdue = 0, False

    def record_overdue(self, is_overdue: bool) -> None:
        self.is_overdue = is_overdue

    def go_offline(self, now: datetime) -> None:
        self.offline_since, self.checks = self.offline_since or now, 0

    def go_online(self, now: datetime) -> None:
        self.offline_since, self.online_since, self.checks = None, now, 0

    def assume_online(self) -> None:
        """It answered, or a person knows better."""
        self.offline_since = None

    def add_event(self, event: AppointmentEvent) -> None:
        known = self.events.get(event.appointment_id)
        if known is None or _precedence(event) >= _precedence(known):
            self.events[event.appointment_id] = event

    def acknowledge_event(self, event: AppointmentEvent | None) -> None:
        """The event was looked into. One that came meanwhile stays."""
        if event is not None and self.events.get(event.appointment_id) == event:
            del self.events[event.appointment_id]

    def vouch(self) -> None:
        self.was_seen_by_staff = True

    def end_vouching(self) -> None:
        """We have seen the appointment ourselves, or the end of the visit will tell."""
        self.was_seen_by_staff = False


def is_about_our_write(event: AppointmentEvent) -> bool:
    """Whether the event says what became of a write of ours."""
    return event.kind in (EventKind.LANDING, EventKind.CHANGE_FAILED)


def _precedence(event: AppointmentEvent) -> int:
    return LANDING_PRECEDENCE.index(event.landing)
