"""Text that people typed, without invisible formatting characters."""

from unicodedata import category

MAX_KEY_LENGTH = 60
"""Characters of an unknown key that are printed."""


def normalize_text(text: str) -> str:
    """Replaces every kind of space with a plain space and CRLF with LF, and drops format characters (Unicode Cf)."""
    characters = (" " if category(c) == "Zs" else c for c in text.replace("\r\n", "\n") if category(c) != "Cf")
    return "".join(characters)


def validate_one_line(text: str) -> str:
    """The normalized text. Raises ValueError if it is empty, or has control characters or line breaks."""
    text = normalize_text(text).strip()
    if not text or not text.isprintable():
        raise ValueError("control characters and line breaks are not allowed")
    return text


def printable_key(key: str) -> str:
    """A key that somebody else wrote, safe to print: without control characters, which a terminal would obey."""
    return "".join(c if c.isprintable() else "?" for c in key[:MAX_KEY_LENGTH])
