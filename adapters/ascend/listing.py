"""Collections: filters from safe values, and pages until nothing is left."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from adapters.ascend.transport import Transport
from adapters.errors import Unavailable

ALL = ("ALL",)
"""Every field. What a row shows to those who don't ask for fields is not stated."""


def instant_text(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def where(*criteria: tuple[str, str, str]) -> str:
    """A filter from (field, operator, value); characters of the grammar are taken out of values."""
    return ",".join(f"{field}{operator}{_safe(value)}" for field, operator, value in criteria)


Seen = Callable[[list[dict[str, Any]], datetime], None]
"""Told of the rows of each page, and when it was asked for."""


def _safe(value: str) -> str:
    return "".join(c for c in value if c not in ",=<>~()[]" and c.isprintable())


class Listing:
    """Pages through collections without trusting a short page to be the last.

    The vendor caps ``pageSize`` at a number it does not state. A page is known to be the last only if it is
    empty, or shorter than a page of the same collection that this server has been seen to fill. So where a filtered
    page is the fullest so far, one page is read unfiltered, ids only: in any real practice that settles it for good.
    """

    def __init__(self, transport: Transport, page_size: int) -> None:
        self._transport = transport
        self._page_size = page_size
        self._fullest: dict[str, int] = {}
        self._learning = asyncio.Lock()

    async def rows(
        self, path: str, criteria: str = "", *, fields: Sequence[str], seen: Seen | None = None
    ) -> list[dict[str, Any]]:
        """Every row of a collection that meets the criteria, by ascending id, with at least these fields."""
        found: dict[int, dict[str, Any]] = {}
        last_id: str | None = None
        while True:
            asked = datetime.now(UTC)
            page = await self._page(path, criteria, fields, last_id)
            if seen is not None:
                seen(page, asked)
            fresh = [row for row in page if _number(row) not in found]
            if page and not fresh:
                raise Unavailable(f"GET {path}: the same page again")
            found.update((_number(row), row) for row in fresh)
            if not page or await self._is_short(path, len(page), bool(criteria) and last_id is None):
                return [found[number] for number in sorted(found)]
            last_id = str(max(_number(row) for row in page))

    async def _is_short(self, path: str, rows: int, learn: bool) -> bool:
        """Whether more rows than these would have fitted into a page."""
        async with self._learning:
            fullest = self._fullest.get(path, 0)
            if learn and fullest <= rows < self._page_size:
                fullest = len(await self._page(path, "", ("id",), None))
            self._fullest[path] = max(rows, fullest)
            return rows < self._fullest[path]

    async def _page(self, path: str, criteria: str, fields: Sequence[str], last_id: str | None) -> list[dict[str, Any]]:
        params = {"pageSize": str(self._page_size), "responseFields": ",".join(fields)}
        if criteria:
            params["filter"] = criteria
        if last_id is not None:
            params["lastId"] = last_id
        body = await self._transport.read(path, params)
        data = body.get("data") if isinstance(body, dict) else None
        rows = [data] if isinstance(data, dict) else data
        if not isinstance(rows, list) or any(not isinstance(row, dict) or "id" not in row for row in rows):
            raise Unavailable(f"GET {path}: an answer without rows")
        return rows


def _number(row: dict[str, Any]) -> int:
    try:
        return int(row["id"])
    except (TypeError, ValueError):
        raise Unavailable("a row whose id is no number") from None
