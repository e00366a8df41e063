"""Our marker in the practice system's appointment note."""

import base64
import re
import secrets

_PATTERN = re.compile(r"\bbk_[a-z2-7]{26}\b")


def new_reference() -> str:
    """``bk_`` and 128 random bits in lower-case base32: unguessable, says nothing about anybody."""
    return "bk_" + base64.b32encode(secrets.token_bytes(16)).decode().rstrip("=").lower()


def reference_in(note: object) -> str | None:
    """The first reference in a note, or ``None``; whatever is no text has none."""
    found = _PATTERN.search(note) if isinstance(note, str) else None
    return found.group(0) if found else None
