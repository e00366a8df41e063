"""Paged lists that are read by cursor, five rows a page by default."""

import base64
import json
from typing import Any

from sandbox.nexhealth.envelope import Reply, invalid_parameter, public_fields
from sandbox.nexhealth.parameters import Parameters
from sandbox.store import Row

DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE = 5, 1000
SortKey = list[Any]
"""The value of the sort field, and the row's id."""


def page_reply(rows: list[Row], params: Parameters) -> Reply:
    """The page of these rows that ``per_page``, ``sort`` and the cursors ask for."""
    size = params.get("per_page", DEFAULT_PAGE_SIZE)
    if not 1 <= size <= MAX_PAGE_SIZE:
        raise invalid_parameter("per_page")
    field, descending = _parse_sort(params.get("sort", "id"))
    rows = sorted(rows, key=lambda row: _sort_key(row, field), reverse=descending)
    after, before = _cursor(params, "end_cursor"), _cursor(params, "start_cursor")
    begin, end = 0, min(size, len(rows))
    if after is not None:
        begin = sum(1 for row in rows if _is_up_to(_sort_key(row, field), after, descending))
        end = min(begin + size, len(rows))
    elif before is not None:
        keys = [_sort_key(row, field) for row in rows]
        end = sum(1 for key in keys if key != before and _is_up_to(key, before, descending))
        begin = max(0, end - size)
    page = rows[begin:end]
    page_info = {
        "has_previous_page": begin > 0,
        "has_next_page": end < len(rows),
        "start_cursor": _encode_cursor(_sort_key(page[0], field)) if page else None,
        "end_cursor": _encode_cursor(_sort_key(page[-1], field)) if page else None,
    }
    return Reply([public_fields(row) for row in page], page_info=page_info)


def _parse_sort(text: str) -> tuple[str, bool]:
    """The field, and whether the order is descending. Only the first of several fields counts."""
    field = text.partition(",")[0]
    return field.removeprefix("-"), field.startswith("-")


def _sort_key(row: Row, field: str) -> SortKey:
    if field not in row:
        raise invalid_parameter("sort")
    return [row[field] or "", row["id"]] if field != "id" else [row["id"], row["id"]]


def _is_up_to(key: SortKey, cursor: SortKey, descending: bool) -> bool:
    """Whether the row comes before the cursor in the list, or is the cursor's own."""
    return key >= cursor if descending else key <= cursor


def _encode_cursor(key: SortKey) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


def _cursor(params: Parameters, name: str) -> SortKey | None:
    text = params.get(name)
    if not text:
        return None
    try:
        return list(json.loads(base64.urlsafe_b64decode(text)))
    except ValueError:
        raise invalid_parameter(name) from None
