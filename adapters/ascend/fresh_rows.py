"""Rows read a moment ago, so that they need not be read again to be written back."""

import time

from adapters.ascend import wire
from domain.reference import reference_in

FRESH = 0.25
"""Seconds. Between any reading and the PUT that follows it the desk may edit, unseen; no more than a little longer
than between a GET of the one row and its PUT."""


class FreshRows:
    def __init__(self) -> None:
        self._rows: dict[str, tuple[float, wire.Row]] = {}

    def keep(self, rows: list[wire.Row]) -> None:
        """Rows that have just arrived."""
        now = time.monotonic()
        self._rows = {row_id: kept for row_id, kept in self._rows.items() if now - kept[0] < FRESH}
        self._rows |= {str(row["id"]): (now, row) for row in rows}

    def take(self, row_id: str, reference: str) -> wire.Row | None:
        """The row, once, where it is fresh and carries ``reference``."""
        arrived, row = self._rows.pop(row_id, (0.0, {}))
        fresh = time.monotonic() - arrived < FRESH
        return row if row and fresh and reference_in(str(row.get("note") or "")) == reference else None
