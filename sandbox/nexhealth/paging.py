"""Reading a list by cursor: five rows a page unless more are asked for."""

import base64
import json
from typing import Any

from sandbox.nexhealth.envelope import Reply, invalid, shown
from sandbox.nexhealth.parameters import Parameters
from sandbox.store import Row

DEFAULT_PAGE, LONGEST_PAGE = 5, 1000


def paged(rows: list[Row], params: Parameters) -> Reply:
    size = params.get("per_page", DEFAULT_PAGE)
    if not 1 <= size <= LONGEST_PAGE:
        raise invalid("per_page")
    field, down = _order(params.get("sort", "id"))
    rows = sorted(rows, key=lambda row: _place(row, field), reverse=down)
    after, before = _cursor(params, "end_cursor"), _cursor(params, "start_cursor")
    begin, end = 0, min(size, len(rows))
    if after is not None:
        begin = sum(1 for row in rows if _reached(_place(row, field), after, down))
        end = min(begin + size, len(rows))
    elif before is not None:
        end = sum(1 for row in rows if _place(row, field) != before and _reached(_place(row, field), before, down))
        begin = max(0, end - size)
    found = rows[begin:end]
    info = {
        "has_previous_page": begin > 0,
        "has_next_page": end < len(rows),
        "start_cursor": _written(_place(found[0], field)) if found else None,
        "end_cursor": _written(_place(found[-1], field)) if found else None,
    }
    return Reply([shown(row) for row in found], page=info)


def _order(text: str) -> tuple[str, bool]:
    field = text.partition(",")[0]
    return field.removeprefix("-"), field.startswith("-")


def _place(row: Row, field: str) -> list[Any]:
    if field not in row:
        raise invalid("sort")
    return [row[field] or "", row["id"]] if field != "id" else [row["id"], row["id"]]


def _reached(place: list[Any], cursor: list[Any], down: bool) -> bool:
    return place >= cursor if down else place <= cursor


def _written(place: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def _cursor(params: Parameters, name: str) -> list[Any] | None:
    text = params.get(name)
    if not text:
        return None
    try:
        return list(json.loads(base64.urlsafe_b64decode(text)))
    except ValueError:
        raise invalid(name) from None
