"""The kinds of messages, and what a message is made from."""

from datetime import datetime
from enum import StrEnum

from domain.base import Value
from domain.booking import Reason


class MessageKind(StrEnum):
    """What a message says. The ``DESK_`` kinds go to the front desk, all others to the patient."""

    RECEIVED = "received"
    """We have the request and will contact the patient."""
    REQUESTED = "requested"
    """The time is requested but not booked, because the office system is offline."""
    HELD = "held"
    """The time is held, and confirmation will follow."""
    CONFIRMED = "confirmed"
    """The appointment is final."""
    DECLINED = "declined"
    """We could not book the request."""
    CANCELLED = "cancelled"
    """The request is cancelled before it was confirmed."""
    VISIT_CANCELLED = "visit_cancelled"
    """The confirmed visit is cancelled."""
    EXPIRED = "expired"
    """The hold expired before anybody confirmed it."""
    DESK_EXCEPTION = "desk_exception"
    """A booking needs the desk."""
    DESK_ESCALATION = "desk_escalation"
    """An exception is still unresolved."""
    DESK_EXPIRED = "desk_expired"
    """A booking ended because nobody resolved its exception in time."""
    DESK_SET_ASIDE = "desk_set_aside"
    """A booking could not read or accept what somebody sent it through Temporal."""


NEVER_SUPERSEDED = frozenset({MessageKind.DESK_EXPIRED})
"""Kinds that are sent even if a later message about the same booking exists."""


class MessageText(Value):
    """A message as it is sent. The subject is empty in a text message."""

    subject: str
    text: str


class MessageFacts(Value):
    """What a message may mention: nothing that the patient typed, no name, no service."""

    practice_name: str
    practice_phone: str
    zone: str
    """IANA name of the location's time zone."""
    start: datetime
    """Start of the visit."""
    link: str | None = None
    """URL where the patient sees where the booking stands."""
    booking: str | None = None
    """The booking's id, for the desk."""
    reference: str | None = None
    """The reference in the appointment's note, for the desk."""
    reason: Reason | None = None
    """Why the booking needs the desk."""
