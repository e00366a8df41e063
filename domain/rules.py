"""The rules of a location for one service, after inheritance."""

from datetime import date, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from domain.base import Value


class Confirmation(StrEnum):
    """Who confirms a booking of a service."""

    AUTOMATIC = "automatic"
    STAFF = "staff"


class HoursSpan(Value):
    """Wall-clock opening hours ``[open, close)`` in the location's zone. ``close`` 00:00 means midnight."""

    open: time
    close: time


class ServiceRule(Value):
    """The effective rule of one service at one location. Ids are those of the practice system, as text."""

    location: str
    service: str
    label: str
    zone: str
    """IANA name of the location's time zone."""
    duration: timedelta
    duration_by_provider: dict[str, timedelta] = {}
    providers: tuple[str, ...]
    """The providers who perform the service, in order of preference."""
    operatories: tuple[str, ...]
    """The operatories where it is performed, in order of preference."""
    hours: dict[int, tuple[HoursSpan, ...]]
    """Opening hours by ISO weekday (1 is Monday, 7 is Sunday). The location is closed on a missing day."""
    closed_on: frozenset[date] = frozenset()
    buffer_before: timedelta = timedelta(0)
    buffer_after: timedelta = timedelta(0)
    minimum_notice: timedelta = timedelta(0)
    """The shortest time between the request and the visit."""
    horizon: timedelta = timedelta(days=60)
    """How far ahead a visit can be booked."""
    same_day_cutoff: time | None = None
    """From this wall-clock time on, no visit is offered for the same local day."""
    daily_cap: int | None = None
    """Maximum visits of this service on one local day that are booked through Holdfast."""
    slot_step: timedelta = timedelta(minutes=15)
    """Openings start at multiples of this, counted from opening time."""
    only_in_windows: bool = False
    """Whether to offer only slots inside the practice's own online-booking windows (for ``reason``, if set)."""
    reason: str | None = None
    """The practice system's visit reason, if it has one."""
    procedures: tuple[str, ...] = ()
    new_patients: bool = True
    """Whether new patients can book it."""
    existing_patients: bool = True
    """Whether existing patients can book it."""
    call_only: bool = False
    """Whether the service is shown but can be booked only by phone."""
    confirmation: Confirmation = Confirmation.AUTOMATIC
    hold_expiry: timedelta = timedelta(hours=8)

    @property
    def tz(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    def duration_with(self, provider: str) -> timedelta:
        return self.duration_by_provider.get(provider, self.duration)
