"""NexHealth's rate limits: per second for the API key and for schedule reads, per minute by resource."""

import time
from collections import defaultdict, deque
from typing import NamedTuple

_SCHEDULE_PATHS = ("/appointments", "/available_slots")


class Window(NamedTuple):
    name: str
    seconds: float
    max_calls: int


class RateLimits:
    def __init__(self) -> None:
        self._call_times: dict[str, deque[float]] = defaultdict(deque)
        """The monotonic times of the latest calls, by the window's name."""

    def admit(self, method: str, path: str) -> bool:
        """Whether every limit has room for the call. Counts the call only then."""
        now = time.monotonic()
        windows = _windows(method, path)
        recent_calls = [self._calls_since(window.name, now - window.seconds) for window in windows]
        if any(len(calls) >= window.max_calls for calls, window in zip(recent_calls, windows, strict=True)):
            return False
        for calls in recent_calls:
            calls.append(now)
        return True

    def clear(self) -> None:
        self._call_times.clear()

    def _calls_since(self, name: str, since: float) -> deque[float]:
        """The window's calls after that time; drops the older ones."""
        calls = self._call_times[name]
        while calls and calls[0] <= since:
            calls.popleft()
        return calls


def _windows(method: str, path: str) -> list[Window]:
    """Every limit that the call counts against."""
    resource = path.split("/")[1]
    max_per_minute = 1000 if resource in ("patients", "appointments") else 2000
    windows = [Window("key", 1.0, 100), Window(f"{resource} per minute", 60.0, max_per_minute)]
    if method == "GET" and path in _SCHEDULE_PATHS:
        windows.append(Window(f"{resource} per second", 1.0, 10))
    return windows
