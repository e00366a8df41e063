"""How many pages and rows of one collection are read before we no longer believe that it ends."""

from adapters.errors import Unavailable

MAX_PAGES = 1_000
MAX_ROWS = 100_000


class PageLimits:
    """Counts the pages of one reading of one collection. Its methods raise Unavailable, so the reading ends there."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._rows = 0
        self._cursors: set[str] = set()

    def count_rows(self, row_count: int) -> None:
        self._rows += row_count
        if self._rows > MAX_ROWS:
            raise Unavailable(f"GET {self._path}: more than {MAX_ROWS} rows")

    def count_cursor(self, cursor: str) -> None:
        """Count the page that this cursor leads to. A cursor that was used before would lead in a circle."""
        if cursor in self._cursors:
            raise Unavailable(f"GET {self._path}: the same page again")
        if len(self._cursors) >= MAX_PAGES:
            raise Unavailable(f"GET {self._path}: more than {MAX_PAGES} pages")
        self._cursors.add(cursor)
