"""Rows read a moment ago, so that they need not be read again to be written back."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from adapters.ascend import wire

FRESH = timedelta(seconds=0.5)
"""Since the page that shows it was asked for. Between any reading and the PUT that follows it the desk may edit,
unseen; this is little more than between a GET of the one row and its PUT."""


class Reading(NamedTuple):
    asked: datetime
    row: wire.Row


class FreshRows:
    def __init__(self) -> None:
        self._rows: dict[str, Reading] = {}

    def keep(self, rows: list[wire.Row], asked: datetime) -> None:
        """Rows that have just arrived, asked for at this time."""
        self._rows = {row_id: kept for row_id, kept in self._rows.items() if _is_fresh(kept)}
        self._rows |= {str(row["id"]): Reading(asked, row) for row in rows}

    def take(self, row_id: str) -> Reading | None:
        """The row, once, where it is fresh."""
        kept = self._rows.pop(row_id, None)
        return kept if kept is not None and _is_fresh(kept) else None


def _is_fresh(kept: Reading) -> bool:
    return kept.asked <= datetime.now(UTC) < kept.asked + FRESH
