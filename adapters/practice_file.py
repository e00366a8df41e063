"""The practice file on disk."""

import tomllib
from collections.abc import Sequence
from pathlib import Path

from domain.practice import InvalidPractice, Practice, parse_practice


class PracticeFileError(ValueError):
    """The file can't be used; every problem at once, each with file, path and what is allowed."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def read_practice(path: Path) -> Practice:
    """The practice described by a TOML file. Raises PracticeFileError."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as wrong:
        raise PracticeFileError([f"{path}: {wrong.strerror}; set PRACTICE_FILE"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as wrong:
        raise PracticeFileError([f"{path}: not valid TOML: {wrong}"]) from None
    try:
        return parse_practice(content)
    except InvalidPractice as wrong:
        raise PracticeFileError([f"{path}: {problem}" for problem in wrong.problems]) from None
