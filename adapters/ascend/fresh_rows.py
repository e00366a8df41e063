"""Rows read a moment ago, so that they need not be read again to be written back."""

import time

from adapters.ascend import wire

FRESH = 0.5
"""Seconds since the page that shows it was asked for. Between any reading and the PUT that follows it the desk may
edit, unseen; this is little more than between a GET of the one row and its PUT."""


class FreshRows:
    def __init__(self) -> None:
        self._rows: dict[str, tuple[float, wire.Row]] = {}

    def keep(self, rows: list[wire.Row], asked: float) -> None:
        """Rows that have just arrived, asked for at this monotonic time."""
        now = time.monotonic()
        self._rows = {row_id: kept for row_id, kept in self._rows.items() if now - kept[0] < FRESH}
        self._rows |= {str(row["id"]): (asked, row) for row in rows}

    def take(self, row_id: str) -> wire.Row | None:
        """The row, once, where it is fresh."""
        asked, row = self._rows.pop(row_id, (0.0, None))
        return row if time.monotonic() - asked < FRESH else None
