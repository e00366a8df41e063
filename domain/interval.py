"""Half-open time intervals."""

from datetime import datetime, timedelta, timezone
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, AwareDatetime, model_validator

from domain.base import Value


def _with_fixed_offset(moment: datetime) -> datetime:
    """The same instant and wall clock, with an offset in place of the zone.

    Python compares and subtracts two times of one zone by their wall clocks. In the hour that occurs twice in fall,
    that puts a later instant before an earlier one.
    """
    if not isinstance(moment.tzinfo, ZoneInfo):
        return moment
    offset = moment.utcoffset()
    assert offset is not None
    return moment.replace(tzinfo=timezone(offset), fold=0)


Instant = Annotated[AwareDatetime, AfterValidator(_with_fixed_offset)]


class Interval(Value):
    """``[start, end)`` between two instants. Two intervals that only touch do not overlap."""

    start: Instant
    end: Instant

    @model_validator(mode="after")
    def _validate_order(self) -> Self:
        if self.end < self.start:
            raise ValueError("an interval must not end before it starts")
        return self

    @property
    def length(self) -> timedelta:
        return self.end - self.start

    def overlaps(self, other: "Interval") -> bool:
        return self.start < other.end and other.start < self.end

    def contains(self, other: "Interval") -> bool:
        return self.start <= other.start and other.end <= self.end

    def widened(self, before: timedelta, after: timedelta) -> "Interval":
        """A copy that starts earlier by ``before`` and ends later by ``after``."""
        return Interval(start=self.start - before, end=self.end + after)


def lasting(start: datetime, length: timedelta) -> Interval:
    """The interval of this length that begins at ``start``."""
    begin = _with_fixed_offset(start)
    return Interval(start=begin, end=begin + length)


def span(start: datetime, minutes: int) -> Interval:
    """The interval of ``minutes`` that begins at ``start``."""
    return lasting(start, timedelta(minutes=minutes))
