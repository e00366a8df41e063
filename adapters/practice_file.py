"""Reads the practice file from disk."""

import tomllib
from collections.abc import Sequence
from pathlib import Path

from domain.practice import InvalidPractice, Practice, parse_practice


class PracticeFileError(ValueError):
    """The practice file cannot be used. Lists all problems, each with file, path and allowed values."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def read_practice(path: Path) -> Practice:
    """Read the practice from a TOML file. Raises PracticeFileError."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PracticeFileError([f"{path}: {error.strerror}; set PRACTICE_FILE"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PracticeFileError([f"{path}: not valid TOML: {error}"]) from None
    try:
        return parse_practice(content)
    except InvalidPractice as error:
        raise PracticeFileError([f"{path}: {problem}" for problem in error.problems]) from None
