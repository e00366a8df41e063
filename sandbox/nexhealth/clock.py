"""NexHealth's clock. It runs with real time, stands still while paused, and can be advanced."""

from datetime import UTC, datetime, timedelta

from sandbox.timestamps import format_timestamp


class Clock:
    def __init__(self) -> None:
        self._offset = timedelta()
        """How far it is ahead of real time while it runs."""
        self._paused_at: datetime | None = None

    def now(self) -> datetime:
        return self._paused_at or datetime.now(UTC) + self._offset

    def timestamp(self) -> str:
        return format_timestamp(self.now())

    @property
    def is_paused(self) -> bool:
        return self._paused_at is not None

    def set_paused(self, paused: bool) -> None:
        if paused:
            self._paused_at = self.now()
        elif self._paused_at is not None:
            self._offset, self._paused_at = self._paused_at - datetime.now(UTC), None

    def advance(self, seconds: float) -> None:
        step = timedelta(seconds=seconds)
        if self._paused_at is not None:
            self._paused_at += step
        else:
            self._offset += step
