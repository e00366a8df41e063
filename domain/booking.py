"""The states of a booking, and what can be said about one."""

from datetime import datetime
from enum import StrEnum

from pydantic import AwareDatetime, Field

from domain.base import Value
from domain.request import Person
from domain.slot import Slot


class Status(StrEnum):
    RECEIVED = "received"
    HELD = "held"
    CONFIRMED = "confirmed"
    COMPLETED = "completed"
    NO_SHOW = "no_show"
    CANCELLED = "cancelled"
    DECLINED = "declined"
    NEEDS_STAFF = "needs_staff"

    @property
    def is_final(self) -> bool:
        return self in (Status.COMPLETED, Status.NO_SHOW, Status.CANCELLED, Status.DECLINED)


class Reason(StrEnum):
    """Why a booking needs a person, or why it was declined."""

    # needs a person
    PATIENT_AMBIGUOUS = "patient_ambiguous"
    """Several charts fit, or one fits doubtfully."""
    PATIENT_NOT_FOUND = "patient_not_found"
    """Says "returning", but no chart fits."""
    PATIENT_EXISTS = "patient_exists"
    """Says "new", but a chart fits."""
    CONTACT_MISMATCH = "contact_mismatch"
    """Name and birth date fit a chart that has other contact details."""
    CHART_INACTIVE = "chart_inactive"
    SPECIAL_REQUEST = "special_request"
    """The patient wrote a note that somebody must read."""
    APPROVAL = "approval"
    """The service is confirmed by staff."""
    SLOT_TAKEN = "slot_taken"
    """An appointment or another booking has the time."""
    SLOT_BLOCKED = "slot_blocked"
    """The practice blocked the time."""
    DAY_FULL = "day_full"
    """As many as the practice takes of this service on one day."""
    HOLD_CHANGED = "hold_changed"
    """Somebody moved, broke or deleted our hold before it was confirmed."""
    HOLD_EXPIRED = "hold_expired"
    NOT_LANDED = "not_landed"
    """The practice system could not be reached, or its answer stayed unknown, until the deadline."""
    REFUSED_BY_SYSTEM = "refused_by_system"
    REFUSED_BY_OFFICE = "refused_by_office"
    """Accepted for the practice's own system, which then would not have it."""
    LANDING_UNCLEAR = "landing_unclear"
    """Whether the practice's own system has it must be looked up there."""
    TOO_MANY_OPEN = "too_many_open"
    """This contact already has several open requests."""
    NOT_REACHED = "not_reached"
    """What became of it could not be told to the patient."""
    NOT_RELEASED = "not_taken_back"
    """What was to go from the calendar may still be there; it is tried on."""
    NO_ANSWER = "no_answer"
    """The practice system has not answered for a while; it is tried on."""
    NOT_FOR_NEW_PATIENTS = "not_for_new_patients"
    NOT_FOR_EXISTING_PATIENTS = "not_for_existing_patients"
    NOT_CONFIRMED = "not_confirmed"
    """Approved and in the calendar; the practice's own system was off too long to mark it as confirmed."""
    # waits for no person
    AWAITING_OFFICE = "awaiting_office"
    """Accepted, and on its way to the practice's own system."""
    OFFICE_OFFLINE = "office_off"
    """The same, and the practice's own system is off."""
    AWAITING_CONFIRMATION = "awaiting_confirmation"
    """Approved and in the calendar; to be confirmed when the practice's own system is back."""
    # declined
    CALL_ONLY = "call_only"
    OUTSIDE_RULES = "outside_rules"
    DECLINED_BY_STAFF = "declined_by_staff"
    CANCELLED_BY_PATIENT = "withdrawn"
    """The patient took the request back."""
    EXPIRED = "expired"
    """Nobody acted before the visit would have begun."""


class Contacts(Value):
    """Whom a booking is for, and whom to call about it: for the practice's staff alone."""

    patient: Person
    guardian: Person | None = None
    """Contacts booked for them."""


class MessageState(Value):
    """One message we sent or tried to send; no address, no text."""

    kind: str
    channel: str
    version: int
    state: str
    not_before: AwareDatetime | None = None
    """It was not tried, and is to be at that instant."""


class BookingView(Value):
    """What may be shown of a booking to the practice's staff. Holds no name, phone, email or birth date."""

    id: str
    request_id: str
    reference: str
    status: Status
    reason: Reason | None = None
    detail: str | None = None
    """One plain sentence for a receptionist; no patient data."""
    location: str
    service: str
    start: AwareDatetime
    end: AwareDatetime | None = None
    provider: str | None = None
    operatory: str | None = None
    appointment_id: str | None = None
    patient_candidates: tuple[str, ...] = ()
    """Chart ids that fit, when a person must choose."""
    alternatives: tuple[Slot, ...] = ()
    exception_number: int | None = None
    """Which exception is open, counted from 1: a decision that names it decides no other."""
    resolutions: tuple[str, ...] = ()
    """What a person may do about it now."""
    deadline: AwareDatetime | None = None
    """When the open exception is escalated or the hold expires."""
    messages: tuple[MessageState, ...] = ()
    note: str = Field(default="", repr=False)
    """What the patient wrote, whole: the practice's own system may have room only for its beginning."""
    updated_at: datetime
