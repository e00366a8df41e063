"""The reference: our marker in the note of an appointment."""

import base64
import re
import secrets

REFERENCE_PREFIX = "bk_"
_PATTERN = re.compile(r"\bbk_[a-z2-7]{26}\b")


def new_reference() -> str:
    """``bk_`` and 128 random bits in lowercase base32. It cannot be guessed and says nothing about anybody."""
    return REFERENCE_PREFIX + base64.b32encode(secrets.token_bytes(16)).decode().rstrip("=").lower()


def reference_in(note: object) -> str | None:
    """The first reference in a note, or ``None``. A note that is not text has none."""
    match = _PATTERN.search(note) if isinstance(note, str) else None
    return match.group(0) if match else None
