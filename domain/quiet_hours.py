"""Hours in which nobody is to be woken by a text message."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from domain.base import Value
from domain.local_time import instant


class QuietHours(Value):
    """Wall-clock hours ``[begin, end)``, past midnight where ``end`` is the earlier one; none where they are equal."""

    begin: time
    end: time

    def ends(self, now: datetime, tz: ZoneInfo) -> datetime | None:
        """The UTC instant at which the quiet hours that ``now`` lies in are over; ``None``: it lies in none."""
        local = now.astimezone(tz)
        wall = local.time()
        if self.begin < self.end:
            quiet, tomorrow = self.begin <= wall < self.end, False
        else:
            quiet, tomorrow = wall < self.end or self.begin <= wall, self.begin <= wall
        if not quiet or self.begin == self.end:
            return None
        end = instant(local.date() + timedelta(days=tomorrow), self.end, tz)
        return end if end > now else end + timedelta(hours=1)  # the hour that occurs twice


NEVER = QuietHours(begin=time(0), end=time(0))
