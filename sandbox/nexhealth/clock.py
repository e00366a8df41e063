"""The time on NexHealth's side: runs with the real one, stands still when paused, jumps when told."""

from datetime import UTC, datetime, timedelta

from sandbox.times import instant_text


class Clock:
    def __init__(self) -> None:
        self._ahead = timedelta()
        self._stopped: datetime | None = None

    def now(self) -> datetime:
        return self._stopped or datetime.now(UTC) + self._ahead

    def text(self) -> str:
        return instant_text(self.now())

    @property
    def paused(self) -> bool:
        return self._stopped is not None

    def pause(self, paused: bool) -> None:
        if paused:
            self._stopped = self.now()
        elif self._stopped is not None:
            self._ahead, self._stopped = self._stopped - datetime.now(UTC), None

    def advance(self, seconds: float) -> None:
        step = timedelta(seconds=seconds)
        if self._stopped is not None:
            self._stopped += step
        else:
            self._ahead += step
