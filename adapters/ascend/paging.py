"""Reading Ascend's collections: filters from safe values, and pages until nothing is left."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from adapters.ascend.transport import Transport
from adapters.errors import Unavailable
from adapters.page_limits import PageLimits
from adapters.rows import Row, as_row, readable_id

ALL_FIELDS = ("ALL",)
"""Every field. The vendor does not say which fields a response has if none are asked for."""

MIN_FULL_PAGE = 10
"""A page with fewer rows, none of which has a readable id, counts as the last one: there is nothing to go on from."""

OnPage = Callable[[list[Row], datetime], None]
"""Called with the rows of each page, and with the instant at which the page was requested."""


def instant_text(instant: datetime) -> str:
    """An instant as Ascend wants it: UTC with milliseconds and ``Z``."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def filter_text(*criteria: tuple[str, str, str]) -> str:
    """A filter from (field, operator, value). All criteria must hold: a comma means AND.

    The vendor does not document how to escape the grammar's own characters, so they are removed from values.
    """
    return ",".join(f"{field}{operator}{_without_grammar(value)}" for field, operator, value in criteria)


def _without_grammar(value: str) -> str:
    return "".join(c for c in value if c not in ",=<>~()[]" and c.isprintable())


class CollectionReader:
    """Reads whole collections without trusting a short page to be the last one.

    The vendor limits ``pageSize`` to a number that it does not state. A page is certainly the last one only if it is
    empty, or if it is shorter than a page of the same collection that this server has filled before. So if a
    filtered page is the fullest so far, one more page is read without the filter, ids only. Any real practice has
    enough rows for that to settle the question for good.
    """

    def __init__(self, transport: Transport, page_size: int) -> None:
        self._transport = transport
        self._page_size = page_size
        self._fullest_page: dict[str, int] = {}
        """By path, the most rows that one page had."""
        self._measuring = asyncio.Lock()

    async def rows(
        self, path: str, criteria: str = "", *, fields: Sequence[str], on_page: OnPage | None = None
    ) -> list[Row]:
        """Every row of a collection that meets the criteria, with at least these fields: those with a number as their
        id by ascending id, then the others.

        Raises Unavailable if the pages do not lead to an end.
        """
        rows_by_id: dict[int, Row] = {}
        rows_without_id: list[Row] = []
        limits = PageLimits(path)
        last_id: str | None = None
        while True:
            requested_at = datetime.now(UTC)
            page = await self._read_page(path, criteria, fields, last_id)
            limits.count_rows(len(page))
            if on_page is not None:
                on_page(page, requested_at)
            numbered = {number: row for row in page if (number := _numeric_id(row)) is not None}
            if numbered and numbered.keys() <= rows_by_id.keys():
                raise Unavailable(f"GET {path}: the same page again")
            rows_by_id = numbered | rows_by_id
            rows_without_id += [row for row in page if _numeric_id(row) is None]
            if not page or await self._measure_page(path, len(page), bool(criteria) and last_id is None):
                break
            if not numbered:
                if len(page) < MIN_FULL_PAGE:
                    break
                raise Unavailable(f"GET {path}: a page without ids")
            last_id = str(max(numbered))
            limits.count_cursor(last_id)
        return [*(rows_by_id[row_id] for row_id in sorted(rows_by_id)), *rows_without_id]

    async def _measure_page(self, path: str, row_count: int, may_probe: bool) -> bool:
        """Remember how full this page is, and return whether it is the last one: a page had room for more rows."""
        async with self._measuring:  # or several reads at once would each probe
            fullest = self._fullest_page.get(path, 0)
            if may_probe and fullest <= row_count < self._page_size:
                fullest = len(await self._read_page(path, "", ("id",), None))
            self._fullest_page[path] = max(row_count, fullest)
            return row_count < self._fullest_page[path]

    async def _read_page(self, path: str, criteria: str, fields: Sequence[str], last_id: str | None) -> list[Row]:
        params = {"pageSize": str(self._page_size), "responseFields": ",".join(fields)}
        if criteria:
            params["filter"] = criteria
        if last_id is not None:
            params["lastId"] = last_id
        body = await self._transport.read(path, params)
        data = body.get("data") if isinstance(body, dict) else None
        rows = [data] if isinstance(data, dict) else data
        if not isinstance(rows, list):
            raise Unavailable(f"GET {path}: an answer without rows")
        return [as_row(entry) for entry in rows]


def _numeric_id(row: Row) -> int | None:
    """Ascend pages by ascending numeric id, but sends ids as text."""
    row_id = readable_id(row.get("id"))
    return int(row_id) if row_id is not None and row_id.isdecimal() else None
