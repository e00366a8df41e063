"""A bookable (start, provider, operatory) and the reasons why one is not."""

from enum import StrEnum
from zoneinfo import ZoneInfo

from domain.base import Value
from domain.interval import Interval


class Slot(Value):
    """Time with one provider in one operatory."""

    time: Interval
    provider: str
    operatory: str

    def in_zone(self, tz: ZoneInfo) -> "Slot":
        """The same slot, told on this zone's clock."""
        time = Interval(start=self.time.start.astimezone(tz), end=self.time.end.astimezone(tz))
        return self.model_copy(update={"time": time})


class Cause(StrEnum):
    """Why a slot is not free."""

    APPOINTMENT = "appointment"
    """The operatory has an appointment in the way."""
    PROVIDER_ELSEWHERE = "provider_elsewhere"
    """The provider has an appointment in another operatory."""
    BLOCK = "block"
    CLAIM = "claim"
    """Another booking of ours is being written there at this moment."""
    BUFFER = "buffer"
    NOTICE = "notice"
    HORIZON = "horizon"
    CUTOFF = "cutoff"
    CAP = "cap"
    HOURS = "hours"
    WINDOW = "window"
    STEP = "step"
    RULE = "rule"
    """The provider or operatory does not perform this service here, or it is by phone only."""

    @property
    def is_rule(self) -> bool:
        """True where the practice's own rules say no, whatever the calendar holds."""
        return self in _RULES


_RULES = frozenset({Cause.NOTICE, Cause.HORIZON, Cause.CUTOFF, Cause.HOURS, Cause.WINDOW, Cause.STEP, Cause.RULE})


class Conflict(Value):
    cause: Cause
    time: Interval | None = None
    """What is in the way, when it is something with a time."""
    resource: str | None = None
    """The provider or operatory concerned."""
    appointment: str | None = None
    """The practice system's id of the appointment in the way."""
