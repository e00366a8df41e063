"""The rules a location sets for one service, fully resolved: nothing left to inherit."""

from datetime import date, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from domain.base import Value


class Confirmation(StrEnum):
    AUTOMATIC = "automatic"
    STAFF = "staff"


class HoursSpan(Value):
    """Wall-clock opening hours ``[open, close)`` in the location's zone; ``close`` 00:00 means midnight."""

    open: time
    close: time


class ServiceRule(Value):
    """The effective rule of one (location, service). Ids are the practice system's, as text."""

    location: str
    service: str
    label: str
    zone: str
    """IANA name of the location's time zone."""
    duration: timedelta
    duration_by_provider: dict[str, timedelta] = {}
    providers: tuple[str, ...]
    """Who performs it, in the order they should be offered."""
    operatories: tuple[str, ...]
    """Where, in the order they should be offered."""
    hours: dict[int, tuple[HoursSpan, ...]]
    """ISO weekday (1 Monday … 7 Sunday) → opening hours; a missing day is closed."""
    closed_on: frozenset[date] = frozenset()
    buffer_before: timedelta = timedelta(0)
    buffer_after: timedelta = timedelta(0)
    minimum_notice: timedelta = timedelta(0)
    horizon: timedelta = timedelta(days=60)
    same_day_cutoff: time | None = None
    """After this wall-clock time no visit is offered for the same local day."""
    daily_cap: int | None = None
    """Most visits of this service on one local day that came through us."""
    slot_step: timedelta = timedelta(minutes=15)
    """Openings start at multiples of this from the opening time of the day."""
    only_in_windows: bool = False
    """Offer only wholly inside the practice's own online-booking templates (for ``reason``, if given)."""
    reason: str | None = None
    """The practice system's visit reason, where it has one."""
    procedures: tuple[str, ...] = ()
    new_patients: bool = True
    existing_patients: bool = True
    call_only: bool = False
    confirmation: Confirmation = Confirmation.AUTOMATIC
    hold_expiry: timedelta = timedelta(hours=24)

    @property
    def tz(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    def duration_with(self, provider: str) -> timedelta:
        return self.duration_by_provider.get(provider, self.duration)
