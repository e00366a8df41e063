"""The query parameters of Ascend's lists: the filter grammar, ``lastId`` and ``page``, and ``responseFields``."""

import re
from datetime import UTC, datetime
from typing import Any

from sandbox.ascend.fields import ALL_FIELDS, DEFAULT_FIELDS, FIELDS, NESTED_FIELDS
from sandbox.store import Row

_CRITERION = re.compile(r"^\s*([A-Za-z0-9_.]+)\s*(==|!=|>=|<=|~=|->|>|<)(.*)$", re.DOTALL)


class BadQuery(ValueError):
    """A parameter does not follow the grammar, or names a field that the collection does not have."""


def filter_rows(rows: list[Row], collection: str, text: str) -> list[Row]:
    """The rows that meet every criterion of the filter text. Raises BadQuery."""
    for criterion in _split_criteria(text):
        match = _CRITERION.match(criterion)
        if match is None:
            raise BadQuery("filter")
        field, operator, expected = match[1], match[2], match[3].strip()
        name, *nested = field.split(".")
        if name not in FIELDS[collection] or len(nested) > 1 or not NESTED_FIELDS.issuperset(nested):
            raise BadQuery("filter")
        rows = [row for row in rows if any(_is_met(value, operator, expected) for value in _values(row, field))]
    return rows


def select_page(rows: list[Row], params: dict[str, str], page_limit: int) -> list[Row]:
    size = min(int(params.get("pageSize", "100")), page_limit)
    if "lastId" in params:
        return [row for row in rows if int(row["id"]) > int(params["lastId"])][:size]
    begin = (int(params.get("page", "1")) - 1) * size
    return rows[begin : begin + size]


def select_fields(row: Row, collection: str, fields: str | None) -> Row:
    """The row with the requested fields: ``ALL``, a comma-separated list, or the default set."""
    requested = fields or DEFAULT_FIELDS[collection]
    if requested == ALL_FIELDS:
        return row
    return {key: value for key, value in row.items() if key in {"id", *requested.split(",")}}


def _split_criteria(text: str) -> list[str]:
    """Split at commas outside of square brackets."""
    return [part for part in re.split(r",(?![^\[]*\])", text) if part]


def _values(row: Row, field: str) -> list[Any]:
    """All values of a dotted field name; a list on the way contributes every item. Never empty."""
    items: list[Any] = [row]
    for part in field.split("."):
        values = []
        for item in items:
            children = item if isinstance(item, list) else [item]
            values += [child.get(part) for child in children if isinstance(child, dict)]
        items = values
    return items or [None]


def _is_met(value: Any, operator: str, expected: str) -> bool:
    if operator == "->":
        return str(value) in [part.strip() for part in expected.strip("[]").split(",")]
    if operator == "~=":
        return expected.casefold() in str(value or "").casefold()
    if operator in ("==", "!="):
        # Equal as text, or as instants: 0 and 1 keep two texts that are no instants from being equal.
        equal = str(value).casefold() == expected.casefold() or (_instant(value) or 0) == (_instant(expected) or 1)
        return equal is (operator == "==")
    left, right = _instant(value), _instant(expected)
    if left is None or right is None:
        return False
    return {">": left > right, "<": left < right, ">=": left >= right, "<=": left <= right}[operator]


def _instant(text: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
