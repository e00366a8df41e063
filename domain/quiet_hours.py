"""Quiet hours: the time of day when patients get no text messages."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from domain.base import Value
from domain.local_time import instant


class QuietHours(Value):
    """Wall-clock hours ``[begin, end)``.

    They pass midnight if ``end`` is earlier than ``begin``. If the two are equal, there are no quiet hours.
    """

    begin: time
    end: time

    def end_after(self, now: datetime, tz: ZoneInfo) -> datetime | None:
        """The UTC instant at which the current quiet hours end, or ``None`` if ``now`` is not in quiet hours."""
        local = now.astimezone(tz)
        wall = local.time()
        if self.begin < self.end:
            quiet, ends_tomorrow = self.begin <= wall < self.end, False
        else:
            quiet, ends_tomorrow = wall < self.end or self.begin <= wall, self.begin <= wall
        if not quiet or self.begin == self.end:
            return None
        end = instant(local.date() + timedelta(days=ends_tomorrow), self.end, tz)
        return end if end > now else end + timedelta(hours=1)  # now is in the second pass of the repeated hour


NO_QUIET_HOURS = QuietHours(begin=time(0), end=time(0))
