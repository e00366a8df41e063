"""Rows that a calendar read has just shown, so that a write need not read them again."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from adapters.ascend import wire
from adapters.rows import row_key

MAX_ROW_AGE = timedelta(seconds=0.5)
"""Measured from the request for the page that shows the row. The desk may edit the row between any read and the PUT
that follows. This time is little more than what lies between a GET of the one row and its PUT."""


class RowReading(NamedTuple):
    requested_at: datetime
    """When the request that returned the row was made, in UTC."""
    row: wire.Row


class FreshRows:
    def __init__(self) -> None:
        self._readings: dict[str, RowReading] = {}

    def store(self, rows: list[wire.Row], requested_at: datetime) -> None:
        """Remember rows that have just arrived, and forget those that are no longer fresh."""
        self._readings = {row_id: reading for row_id, reading in self._readings.items() if _is_fresh(reading)}
        self._readings |= {row_key(row): RowReading(requested_at, row) for row in rows}

    def pop(self, row_id: str) -> RowReading | None:
        """The row if it is still fresh. Each reading is given out once."""
        reading = self._readings.pop(row_id, None)
        return reading if reading is not None and _is_fresh(reading) else None


def _is_fresh(reading: RowReading) -> bool:
    return reading.requested_at <= datetime.now(UTC) < reading.requested_at + MAX_ROW_AGE
