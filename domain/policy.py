"""What a booking workflow must know of the rules: fixed when the request is made, so that replay agrees."""

from datetime import timedelta
from enum import StrEnum

from domain.base import Value
from domain.rules import Confirmation


class EmailContent(StrEnum):
    NOTICE = "notice"
    """Says only that there is an update."""
    DETAILED = "detailed"
    """Says when and where; only over a transport that a business associate agreement covers."""


class LandingPolicy(Value):
    """How long a write that is on its way to the practice's own system may take, and who is told when."""

    check_after: tuple[timedelta, ...] = tuple(timedelta(minutes=m) for m in (0.5, 1, 2, 5, 10, 20, 30))
    """Looks by our own account, each so long after the one before; then ever more rarely. Each may cost money."""
    check_while_offline: timedelta = timedelta(hours=1)
    """While the office is known to be off, so often it is asked whether it is back; that it is back is told, too."""
    notify_patient_after: timedelta = timedelta(minutes=10)
    """A patient who was promised nothing yet is told that the request was received."""
    max_wait: timedelta = timedelta(hours=12)
    """After so long, in which the office was on, a person is asked."""
    lead_time: timedelta = timedelta(hours=4)
    """A person is asked so long before the visit at the latest."""
    min_wait: timedelta = timedelta(minutes=5)
    """However soon the visit is, an office gets so long before a person is asked."""


class BookingPolicy(Value):
    """The part of a (location, service)'s rules that steers the booking rather than the slot."""

    rules_version: str
    location: str
    service: str
    label: str
    connection: str
    late_commit: timedelta = timedelta(seconds=60)
    """A write whose outcome was unknown may still be committed for so long."""
    zone: str
    """IANA name."""
    duration: timedelta
    call_only: bool
    confirmation: Confirmation
    hold_expiry: timedelta
    staff_deadline: timedelta
    """An exception that nobody resolved for so long is escalated."""
    new_patients: bool
    existing_patients: bool
    landing: LandingPolicy = LandingPolicy()
    placeholder_patient: str | None = None
    """Chart (practice-system id) under which a slot is held while the patient is not settled."""
