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
    placeholder_patient: str | None = None
    """Chart (practice-system id) under which a slot is held while the patient is not settled."""
