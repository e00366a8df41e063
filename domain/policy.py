"""The rules that a booking workflow needs. They are fixed when the request is made, so replay gives the same result."""

from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from domain.base import Value
from domain.desk_hours import DeskHours
from domain.rules import Confirmation


class EmailContent(StrEnum):
    """How much an email to a patient says."""

    NOTICE = "notice"
    """Only that there is an update."""
    DETAILED = "detailed"
    """Also when the visit is. Use it only if a business associate agreement covers the email provider."""


class LandingPolicy(Value):
    """How long a queued write may take to land, and when the patient and the desk hear about it."""

    check_after: tuple[timedelta, ...] = tuple(timedelta(minutes=m) for m in (0.5, 1, 2, 5, 10, 20, 30))
    """The wait before each check, one after the other; later waits keep doubling. Each check may cost a paid call."""
    check_while_offline: timedelta = timedelta(hours=1)
    """How often to ask whether an offline office is back online. A webhook may say so earlier."""
    notify_patient_after: timedelta = timedelta(minutes=10)
    """If the booking has not landed by then, the patient hears that the request was received."""
    max_wait: timedelta = timedelta(hours=12)
    """How long to wait before the desk is asked. Time in which the office is offline does not count."""
    lead_time: timedelta = timedelta(hours=4)
    """The desk is asked at the latest this long before the visit."""
    min_wait: timedelta = timedelta(minutes=5)
    """The desk is asked at the earliest after this, even if the visit is very soon."""


class VisitLimits(Value):
    """How many visits may be open at once: requested with a slot of their own, held, or confirmed and still to come."""

    per_patient: int = 2
    per_contact: int = 6
    """By phone number and by email address. A family may share one."""


class BookingPolicy(Value):
    """The part of the rules for one service at one location that steers the booking rather than the slot."""

    rules_version: str
    """The version of the practice file under which the booking was made."""
    location: str
    service: str
    label: str
    connection: str
    late_commit: timedelta = timedelta(seconds=60)
    """How long after an unanswered write the practice system may still commit it."""
    zone: str
    """IANA name of the location's time zone."""
    duration: timedelta
    call_only: bool
    confirmation: Confirmation
    hold_expiry: timedelta
    """In desk hours, as the next one."""
    staff_deadline: timedelta
    """An exception that is unresolved for this long is escalated."""
    desk_hours: DeskHours = DeskHours()
    """When somebody is at the desk."""
    limits: VisitLimits = VisitLimits()
    new_patients: bool
    existing_patients: bool
    landing: LandingPolicy = LandingPolicy()
    chart_max_age: timedelta = timedelta(hours=1)
    """A chart that was read longer ago is read again before anything is written or confirmed for it."""
    placeholder_patient: str | None = None
    """The practice system's id of a chart that holds a slot until the patient's own chart is known."""

    @property
    def tz(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    def hold_deadline(self, begin: datetime) -> datetime:
        """When a hold whose term began then is released."""
        return self.desk_hours.add(begin, self.hold_expiry, self.tz)
