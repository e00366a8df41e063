"""The vendor's rate limits: per second for the key and for schedule reads, per minute by resource."""

import time
from collections import defaultdict, deque

_SCHEDULE = ("/appointments", "/available_slots")


class Limits:
    def __init__(self) -> None:
        self._calls: dict[str, deque[float]] = defaultdict(deque)

    def exceeded(self, method: str, path: str) -> bool:
        """Counts the call where there is room for it."""
        now = time.monotonic()
        counted = [self._within(name, now - span) for name, span, _ in _windows(method, path)]
        if any(len(calls) >= most for calls, (_, _, most) in zip(counted, _windows(method, path), strict=True)):
            return True
        for calls in counted:
            calls.append(now)
        return False

    def clear(self) -> None:
        self._calls.clear()

    def _within(self, name: str, since: float) -> deque[float]:
        calls = self._calls[name]
        while calls and calls[0] <= since:
            calls.popleft()
        return calls


def _windows(method: str, path: str) -> list[tuple[str, float, int]]:
    """Name, seconds and most calls of every window that the call falls into."""
    resource = path.split("/")[1]
    a_minute = 1000 if resource in ("patients", "appointments") else 2000
    windows = [("key", 1.0, 100), (f"{resource} a minute", 60.0, a_minute)]
    if method == "GET" and path in _SCHEDULE:
        windows.append((f"{resource} a second", 1.0, 10))
    return windows
