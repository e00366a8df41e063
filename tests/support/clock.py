"""Clocks that tests pass to activities."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from activities.clock import SystemClock


@dataclass
class OffsetClock(SystemClock):
    """The system clock, ahead or behind by ``offset``. A clock behind makes an activity act as if it had slept."""

    offset: timedelta = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.offset
