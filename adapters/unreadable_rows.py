"""Rows of a vendor that cannot be read: logged once, and kept until the desk is told."""

import structlog

from adapters.errors import Unreadable
from adapters.practice_system import UnreadableRow
from adapters.rows import Row, readable_id, row_key

log = structlog.get_logger(__name__)

MAX_REMEMBERED = 10_000
"""Rows that one process remembers. When there are more, it forgets all and may log a row again."""
MAX_WAITING = 200
"""Rows that wait until the desk is told. When there are more, the rest is only logged."""
MAX_VERSION_LENGTH = 40
PATIENT = "patient"
"""Rows of this kind are logged without their id, and the desk hears of them through the booking that meets them."""


class UnreadableRows:
    def __init__(self) -> None:
        self._known: set[tuple[str, str, str]] = set()
        self._waiting: list[UnreadableRow] = []

    def record(self, kind: str, row: Row, error: Unreadable, location: str | None) -> None:
        """Log the row, unless this version of it is known. ``location``: whose it is, if that is known."""
        version = _version(row)
        key = (kind, row_key(row), version)
        if key in self._known:
            return
        if len(self._known) >= MAX_REMEMBERED:
            self._known.clear()
        self._known.add(key)
        row_id = readable_id(row.get("id")) if kind != PATIENT else None
        log.warning("row_unreadable", kind=kind, field=error.field, id=row_id, location=location)
        if kind != PATIENT and len(self._waiting) < MAX_WAITING:
            self._waiting.append(
                UnreadableRow(kind=kind, id=row_id, key=":".join(key), field=error.field, location=location)
            )

    def take(self) -> list[UnreadableRow]:
        """The rows that were recorded since this was called last."""
        rows, self._waiting = self._waiting, []
        return rows


def _version(row: Row) -> str:
    """When the row was changed, in the vendor's own words. Empty if it does not say."""
    changed_at = row.get("lastModified") or row.get("updated_at")
    return changed_at[:MAX_VERSION_LENGTH] if isinstance(changed_at, str) else ""
