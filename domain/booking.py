"""The status of a booking, its reasons, and the views of a booking that leave the workflow."""

from datetime import datetime
from enum import StrEnum

from pydantic import AwareDatetime, Field

from domain.base import Value
from domain.request import Person
from domain.slot import Slot


class Status(StrEnum):
    """Where a booking stands."""

    RECEIVED = "received"
    """We have the request. Nothing is promised yet."""
    HELD = "held"
    """A tentative appointment is in the calendar."""
    CONFIRMED = "confirmed"
    """The appointment is final in the practice system."""
    COMPLETED = "completed"
    """The patient came."""
    NO_SHOW = "no_show"
    """The patient did not come."""
    CANCELLED = "cancelled"
    """The patient or the desk cancelled."""
    DECLINED = "declined"
    """We or the desk said no to the request."""
    NEEDS_STAFF = "needs_staff"
    """An exception waits for the desk."""

    @property
    def is_final(self) -> bool:
        return self in (Status.COMPLETED, Status.NO_SHOW, Status.CANCELLED, Status.DECLINED)


class Reason(StrEnum):
    """Why a booking has its status."""

    # The desk must act.
    PATIENT_AMBIGUOUS = "patient_ambiguous"
    """Several charts match, or one chart is only a near match."""
    PATIENT_NOT_FOUND = "patient_not_found"
    """The patient says they are returning, but no chart matches."""
    PATIENT_EXISTS = "patient_exists"
    """The patient says they are new, but a chart matches."""
    CONTACT_MISMATCH = "contact_mismatch"
    """A chart matches by name and birth date, but has other contact details."""
    CHART_INACTIVE = "chart_inactive"
    """The matching chart is inactive, a duplicate, not a patient's, or not there any more."""
    SPECIAL_REQUEST = "special_request"
    """The patient wrote a note that somebody must read."""
    APPROVAL = "approval"
    """Staff confirm every booking of this service."""
    SLOT_TAKEN = "slot_taken"
    """An appointment or another booking has the time."""
    SLOT_BLOCKED = "slot_blocked"
    """The practice closed the time."""
    NOT_ACTIVE = "not_active"
    """The provider or the operatory is not active in the practice system any more."""
    DAY_FULL = "day_full"
    """The daily limit for this service is reached."""
    HOLD_CHANGED = "hold_changed"
    """Somebody moved, broke or deleted our hold before it was confirmed."""
    HOLD_EXPIRED = "hold_expired"
    """Nobody confirmed the hold in time, so it was released."""
    NOT_LANDED = "not_landed"
    """By the deadline, the practice system was unreachable or the outcome of the write was still unknown."""
    REFUSED_BY_SYSTEM = "refused_by_system"
    """The practice system refused a write."""
    NOT_AUTHORIZED = "not_authorized"
    """The practice system does not accept our credentials, so it refuses every call until somebody mends them."""
    REFUSED_BY_OFFICE = "refused_by_office"
    """The partner accepted the write, but the office system refused it."""
    LANDING_UNCLEAR = "landing_unclear"
    """We cannot tell whether the appointment is in the office system. Somebody must look there."""
    TOO_MANY_OPEN = "too_many_open"
    """This phone number or email address already has the maximum number of open requests and visits."""
    TOO_MANY_VISITS = "too_many_visits"
    """The patient already has the maximum number of open requests and visits."""
    VISIT_OVERLAPS = "visit_overlaps"
    """The patient already has a visit at this time."""
    SAME_SERVICE = "same_service"
    """The patient already has an upcoming visit for this service, so the request may be meant as a change."""
    NOT_REACHED = "not_reached"
    """No message about the outcome reached the patient."""
    NOT_RELEASED = "not_taken_back"
    """An appointment that we release may still be in the calendar. We keep retrying."""
    CHART_LEFT = "chart_left"
    """The booking created a chart for a new patient and ended without a visit."""
    NO_ANSWER = "no_answer"
    """The practice system has not answered for a while. We keep retrying."""
    NOT_FOR_NEW_PATIENTS = "not_for_new_patients"
    """The service is for existing patients, and the patient is new."""
    NOT_FOR_EXISTING_PATIENTS = "not_for_existing_patients"
    """The service is for new patients, and the patient has a chart."""
    NOT_CONFIRMED = "not_confirmed"
    """Approved and in the calendar, but the office system was offline too long to mark it as confirmed."""
    MESSAGE_SET_ASIDE = "message_set_aside"
    """Somebody sent the booking something through Temporal that it could not read or accept. Nothing was changed."""
    # Nobody needs to act.
    AWAITING_OFFICE = "awaiting_office"
    """Accepted by the partner, and not in the office system yet."""
    OFFICE_OFFLINE = "office_off"
    """The same, and the office system is offline."""
    AWAITING_CONFIRMATION = "awaiting_confirmation"
    """Approved and in the calendar. It is confirmed when the office system is online again."""
    # The booking ended.
    CALL_ONLY = "call_only"
    """The service can be booked only by phone."""
    OUTSIDE_RULES = "outside_rules"
    """The practice does not offer this time online."""
    DECLINED_BY_STAFF = "declined_by_staff"
    """The desk declined the request."""
    CANCELLED_BY_PATIENT = "withdrawn"
    """The patient cancelled."""
    EXPIRED = "expired"
    """Nobody acted before the start of the visit."""


SLOT_REASONS = frozenset(
    {
        *(Reason.SLOT_TAKEN, Reason.SLOT_BLOCKED, Reason.NOT_ACTIVE, Reason.DAY_FULL),
        *(Reason.OUTSIDE_RULES, Reason.REFUSED_BY_OFFICE),
    }
)
"""The requested time cannot be had, but another one may be."""


class SetAsideCause(StrEnum):
    """Why a signal was set aside instead of being carried out."""

    UNREADABLE = "unreadable"
    """It cannot be decrypted: its key is unknown, or it was altered."""
    NOT_ENCRYPTED = "not_encrypted"
    """It is not encrypted, and that is not accepted here."""
    WRONG_SHAPE = "wrong_shape"
    """It has no argument, too many, or one that does not say what it must say."""
    TOO_LARGE = "too_large"
    """It is larger than any honest message."""
    UNKNOWN_NAME = "unknown_name"
    """No signal has this name."""
    NOT_BOUND = "not_bound"
    """It does not name the booking and the exception that it decides."""
    OTHER_BOOKING = "other_booking"
    """It decides another booking."""
    NOT_ALLOWED = "not_allowed"
    """The booking's state does not allow it: the exception is answered, has changed, or cannot be answered so."""


LIMIT_REASONS = frozenset({Reason.TOO_MANY_OPEN, Reason.TOO_MANY_VISITS, Reason.VISIT_OVERLAPS, Reason.SAME_SERVICE})
"""The patient or the contact has other visits, and the desk must say whether this one comes on top."""


class Contacts(Value):
    """The people of a booking. Only for the practice's staff."""

    patient: Person
    guardian: Person | None = None
    """Who booked for the patient."""


class MessageState(Value):
    """One message that we sent or tried to send, without its address and text."""

    kind: str
    channel: str
    version: int
    state: str
    not_before: AwareDatetime | None = None
    """Set if the message is postponed: the instant of the first attempt."""


class ResolutionRecord(Value):
    """A resolution that the booking accepted."""

    kind: str
    by: str
    """Who decided: an account name, never a patient's name."""
    at: AwareDatetime
    is_plain: bool = False
    """It came without encryption, so nothing proves who sent it."""


class BookingView(Value):
    """What the practice's staff may see of a booking. It has no name, phone, email or birth date."""

    id: str
    request_id: str
    reference: str
    status: Status
    reason: Reason | None = None
    detail: str | None = None
    """One plain sentence for the desk, without patient data."""
    location: str
    service: str
    start: AwareDatetime
    end: AwareDatetime | None = None
    moving_to: AwareDatetime | None = None
    """Another time that was chosen and is not secured yet. Until then the present one stands."""
    provider: str | None = None
    operatory: str | None = None
    appointment_id: str | None = None
    patient_candidates: tuple[str, ...] = ()
    """Ids of the matching charts, if the desk must choose one. With ``chart_left``, the chart that we created."""
    alternatives: tuple[Slot, ...] = ()
    alternatives_as_of: AwareDatetime | None = None
    """When the calendar was read for the alternatives. Some may be gone by now."""
    exception_opened_at: AwareDatetime | None = None
    exception_number: int | None = None
    """The number of the open exception, counted from 1. A resolution that names it applies to no other exception."""
    resolutions: tuple[str, ...] = ()
    """What the desk can do now."""
    deadline: AwareDatetime | None = None
    """When the open exception is escalated or the hold expires."""
    held_until: AwareDatetime | None = None
    """When the hold is released if nobody confirms it."""
    language: str = "en"
    """The language of the request."""
    declined_by: str | None = None
    """The account name of whoever declined it, if the desk did."""
    decline_note: str = Field(default="", repr=False)
    """Why the desk declined it, in its own words."""
    is_readable: bool = True
    """False if it was encrypted with keys that this process lacks. Then most of it is missing here."""
    messages: tuple[MessageState, ...] = ()
    last_resolution: ResolutionRecord | None = None
    set_aside: int = 0
    """How many signals the booking set aside because it could not read or accept them."""
    set_aside_detail: str | None = None
    """Why the latest one was set aside, and what to do instead: a plain sentence for the desk."""
    note: str = Field(default="", repr=False)
    """The patient's whole note. The office system may have room only for its beginning."""
    updated_at: datetime
