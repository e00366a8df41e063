"""Ascend's list parameters: filter grammar, lastId and page cursors, responseFields."""

import re
from datetime import UTC, datetime
from typing import Any

from sandbox.fields import EVERYTHING, FIELDS, INSIDE, SHOWN
from sandbox.store import Row

_CRITERION = re.compile(r"^\s*([A-Za-z0-9_.]+)\s*(==|!=|>=|<=|~=|->|>|<)(.*)$", re.DOTALL)


class BadQuery(ValueError):
    """The parameters are not of the grammar."""


def matching(rows: list[Row], collection: str, text: str) -> list[Row]:
    """Raises BadQuery, for a field that the collection does not have too."""
    for criterion in _split(text):
        found = _CRITERION.match(criterion)
        if found is None:
            raise BadQuery("filter")
        field, operator, value = found[1], found[2], found[3].strip()
        name, *inside = field.split(".")
        if name not in FIELDS[collection] or len(inside) > 1 or not INSIDE.issuperset(inside):
            raise BadQuery("filter")
        rows = [row for row in rows if any(_holds(seen, operator, value) for seen in _values(row, field))]
    return rows


def page(rows: list[Row], params: dict[str, str], limit: int) -> list[Row]:
    size = min(int(params.get("pageSize", "100")), limit)
    if "lastId" in params:
        return [row for row in rows if int(row["id"]) > int(params["lastId"])][:size]
    begin = (int(params.get("page", "1")) - 1) * size
    return rows[begin : begin + size]


def project(row: Row, collection: str, fields: str | None) -> Row:
    """As the caller wants it: ``ALL``, some fields, or what is shown to who asks for none."""
    wanted = fields or SHOWN[collection]
    if wanted == EVERYTHING:
        return row
    return {key: value for key, value in row.items() if key in {"id", *wanted.split(",")}}


def _split(text: str) -> list[str]:
    """At commas outside of brackets."""
    return [part for part in re.split(r",(?![^\[]*\])", text) if part]


def _values(row: Row, field: str) -> list[Any]:
    found: list[Any] = [row]
    for part in field.split("."):
        stepped = []
        for item in found:
            items = item if isinstance(item, list) else [item]
            stepped += [i.get(part) for i in items if isinstance(i, dict)]
        found = stepped
    return found or [None]


def _holds(seen: Any, operator: str, value: str) -> bool:
    if operator == "->":
        return str(seen) in [part.strip() for part in value.strip("[]").split(",")]
    if operator == "~=":
        return value.casefold() in str(seen or "").casefold()
    if operator in ("==", "!="):
        same = str(seen).casefold() == value.casefold() or (_instant(seen) or 0) == (_instant(value) or 1)
        return same is (operator == "==")
    left, right = _instant(seen), _instant(value)
    if left is None or right is None:
        return False
    return {">": left > right, "<": left < right, ">=": left >= right, "<=": left <= right}[operator]


def _instant(text: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
