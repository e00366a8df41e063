"""JSON from outside, read within limits."""

import codecs
from typing import Any

from pydantic_core import from_json

MAX_DEPTH = 200
"""Nested lists and objects. It is fixed in pydantic's reader, which also refuses integers of more than 4,300 digits."""


class UnreadableJson(ValueError):
    """Not JSON in UTF-8, or nested too deeply. The text never quotes the content."""


def parse_json(raw: str | bytes) -> Any:
    """The decoded content. Raises UnreadableJson.

    ``json.loads`` recurses as deep as the caller likes and accepts half a character. Both are refused here. A byte
    order mark, which Windows Notepad writes, is skipped. A number too large for a float becomes infinite.
    """
    # Half a character has no UTF-8. Here it passes, so that the reader refuses it like other bytes that are no UTF-8.
    encoded = raw.encode(errors="surrogatepass") if isinstance(raw, str) else raw
    try:
        return from_json(encoded.removeprefix(codecs.BOM_UTF8), allow_inf_nan=False, cache_strings="none")
    except ValueError:
        raise UnreadableJson(f"not JSON in UTF-8 with at most {MAX_DEPTH} nested levels") from None
