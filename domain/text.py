"""What people type, without what only steers how text is shown."""

from unicodedata import category


def plain(text: str) -> str:
    """Blanks of every kind as one blank, line ends as one, and nothing that only steers how text is shown."""
    kept = (" " if category(c) == "Zs" else c for c in text.replace("\r\n", "\n") if category(c) != "Cf")
    return "".join(kept)


def one_line(text: str) -> str:
    text = plain(text).strip()
    if not text or not text.isprintable():
        raise ValueError("control characters and line breaks are not allowed")
    return text
