"""Conversion between wall-clock times and instants, across daylight saving changes.

A local day has 23 to 25 hours. When clocks go forward, some wall-clock times do not exist. When clocks go
back, some exist twice.
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from domain.interval import Interval


def wall_time_exists(wall: datetime, tz: ZoneInfo) -> bool:
    """Whether a naive wall-clock time occurs in this zone. In a spring gap it does not."""
    return wall.replace(tzinfo=tz).astimezone(UTC).astimezone(tz).replace(tzinfo=None) == wall


def instant(day: date, wall: time, tz: ZoneInfo) -> datetime:
    """The UTC instant of a wall-clock time. If the time occurs twice, the first one.

    A time in a spring gap is read from a clock that was never set forward: in a gap of one hour, 02:30 is the
    instant at which other clocks show 03:30.
    """
    return datetime.combine(day, wall.replace(fold=0), tz).astimezone(UTC)


def local_day(day: date, tz: ZoneInfo) -> Interval:
    """The local date in UTC, from its first instant to the first instant of the next day."""
    return Interval(start=instant(day, time(0), tz), end=instant(day + timedelta(days=1), time(0), tz))


def from_wall_clock(wall: datetime, tz: ZoneInfo) -> datetime:
    """The instant at which clocks in this zone show ``wall``, a naive time. Raises ValueError, which says what to do.

    A time that clocks skip is no time; one that they show twice needs a UTC offset.
    """
    if not wall_time_exists(wall, tz):
        raise ValueError(_skipped_time(wall, tz))
    first, second = (wall.replace(tzinfo=tz, fold=fold) for fold in (0, 1))
    if first.utcoffset() != second.utcoffset():
        both = " or ".join(each.isoformat() for each in (first, second))
        raise ValueError(f"{wall:%H:%M} comes twice on {wall:%Y-%m-%d} in {tz.key}; write {both}")
    return first


def _skipped_time(wall: datetime, tz: ZoneInfo) -> str:
    return f"{wall:%H:%M} does not exist on {wall:%Y-%m-%d} in {tz.key}, because clocks are set forward then"


def check_start(start: datetime, tz: ZoneInfo) -> None:
    """Raises ValueError if ``start`` is a wall-clock time that does not exist in the location's zone.

    A start with the zone's own summer or winter offset is a time on the location's clock. A start with any other
    offset is only an instant, and every instant exists.
    """
    wall = start.replace(tzinfo=None)
    zone_offsets = {wall.replace(tzinfo=tz, fold=fold).utcoffset() for fold in (0, 1)}
    if start.utcoffset() in zone_offsets and not wall_time_exists(wall, tz):
        raise ValueError(_skipped_time(wall, tz))
