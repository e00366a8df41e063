"""Half-open time intervals."""

from datetime import datetime, timedelta
from typing import Self

from pydantic import AwareDatetime, model_validator

from domain.base import Value


class Interval(Value):
    """``[start, end)`` in aware time. Two intervals that only touch do not overlap."""

    start: AwareDatetime
    end: AwareDatetime

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


def span(start: datetime, minutes: int) -> Interval:
    """The interval of ``minutes`` that begins at ``start``."""
    return Interval(start=start, end=start + timedelta(minutes=minutes))
