"""Wall clocks and instants: days of 23 to 25 hours, times that do not exist, times that exist twice."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from domain.interval import Interval


def exists(wall: datetime, tz: ZoneInfo) -> bool:
    """Whether a naive wall-clock reading occurs in this zone; in a spring gap it does not."""
    return wall.replace(tzinfo=tz).astimezone(UTC).astimezone(tz).replace(tzinfo=None) == wall


def instant(day: date, wall: time, tz: ZoneInfo) -> datetime:
    """The UTC instant of a wall-clock reading: the first where it occurs twice.

    A reading in a spring gap is taken as the clock that was never set forward would show it: 02:30 in a gap of an
    hour is the instant at which the others read 03:30.
    """
    return datetime.combine(day, wall.replace(fold=0), tz).astimezone(UTC)


def local_day(day: date, tz: ZoneInfo) -> Interval:
    """The local date from its first instant to the next day's first, in UTC."""
    return Interval(start=instant(day, time(0), tz), end=instant(day + timedelta(days=1), time(0), tz))


def check_start(start: datetime, tz: ZoneInfo) -> None:
    """Raises ValueError where the clock reading, as written with its offset, does not exist in the location's zone.

    A start written with the zone's own summer or winter offset means the location's clock; one with any other
    offset is just an instant.
    """
    wall = start.replace(tzinfo=None)
    own = {wall.replace(tzinfo=tz, fold=fold).utcoffset() for fold in (0, 1)}
    if start.utcoffset() in own and not exists(wall, tz):
        raise ValueError(f"{wall:%H:%M} does not exist on {wall:%Y-%m-%d} in {tz.key}: the clock is set forward then")
