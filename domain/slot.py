"""A slot, and the causes that keep it from being free."""

from enum import StrEnum
from zoneinfo import ZoneInfo

from domain.base import Value
from domain.interval import Interval


class Slot(Value):
    """A time with one provider in one operatory."""

    time: Interval
    provider: str
    operatory: str

    def in_zone(self, tz: ZoneInfo) -> "Slot":
        """The same slot, with its times on the zone's clock: an interval keeps the offset, not the zone's name."""
        time = Interval(start=self.time.start.astimezone(tz), end=self.time.end.astimezone(tz))
        return self.model_copy(update={"time": time})


class Cause(StrEnum):
    """Why a slot is not free."""

    APPOINTMENT = "appointment"
    """Another appointment is in the operatory at this time."""
    PROVIDER_ELSEWHERE = "provider_elsewhere"
    """The provider has an appointment in another operatory."""
    BLOCK = "block"
    """The practice closed the time."""
    INACTIVE = "inactive"
    """The practice system does not list the provider or the operatory as active any more."""
    CLAIM = "claim"
    """Another of our bookings has claimed the time and is being written."""
    BUFFER = "buffer"
    """The visit itself is free, but the buffer before or after it is not."""
    NOTICE = "notice"
    """The slot starts too soon, or in the past."""
    HORIZON = "horizon"
    """The slot is too far ahead."""
    CUTOFF = "cutoff"
    """It is too late in the day to book a visit for the same day."""
    CAP = "cap"
    """The daily limit for this service is reached."""
    HOURS = "hours"
    """The slot is outside opening hours."""
    WINDOW = "window"
    """The slot is outside the practice's own online-booking windows."""
    STEP = "step"
    """The slot does not start on the grid of possible starts."""
    RULE = "rule"
    """The provider or operatory does not offer this service here, the length is wrong, or the service is call-only."""

    @property
    def is_rule(self) -> bool:
        """Whether the practice's own rules forbid the slot, whatever the calendar holds."""
        return self in _RULE_CAUSES


_RULE_CAUSES = frozenset({Cause.NOTICE, Cause.HORIZON, Cause.CUTOFF, Cause.HOURS, Cause.WINDOW, Cause.STEP, Cause.RULE})


class Conflict(Value):
    """One thing that keeps a slot from being free."""

    cause: Cause
    time: Interval | None = None
    """The time of whatever is in the way, if it has one."""
    resource: str | None = None
    """The provider or operatory concerned."""
    appointment: str | None = None
    """The practice system's id of the appointment in the way."""
