"""How often something is checked that may take long."""

from datetime import timedelta

MAX_POLL_INTERVAL = timedelta(days=1)
_MAX_DOUBLINGS = 16
"""Keeps the interval's arithmetic within range; it is capped long before."""


def poll_interval(checks: int, intervals: tuple[timedelta, ...]) -> timedelta:
    """The wait after so many checks: the configured intervals first, then each twice the one before."""
    doublings = max(checks - len(intervals) + 1, 0)
    interval = intervals[min(checks, len(intervals) - 1)] * (1 << min(doublings, _MAX_DOUBLINGS))
    return min(interval, MAX_POLL_INTERVAL)
