"""Consoles that print outside text without obeying it.

A request's key, a vendor's answer or a note may hold control characters. A terminal would obey them: change its title,
hide a line, or type a command.
"""

import json
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class SafeConsole(Console):
    """Prints its own styles and nobody else's control characters."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)


def printable(text: str) -> str:
    """The text with its line breaks, and without other control and formatting characters."""
    if text.replace("\n", "").isprintable():
        return text
    return "".join(c if c == "\n" or c.isprintable() else REPLACEMENT for c in text)


def print_json(content: Any) -> None:
    """One line. Characters that a terminal may obey are escaped, so that a program reads what was there."""
    text = json.dumps(content, ensure_ascii=False)
    print("".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text))
