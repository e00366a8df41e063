"""Reads the practice file from disk."""

import tomllib
from collections.abc import Sequence
from pathlib import Path

from domain.practice import InvalidPractice, Practice, parse_practice

MAX_BYTES = 4 * 1024 * 1024
"""A thousand locations fit."""


class PracticeFileError(ValueError):
    """The practice file cannot be used. Lists all problems, each with file, path and allowed values."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def read_practice(path: Path) -> Practice:
    """Read the practice from a TOML file. Raises PracticeFileError."""
    try:
        content = tomllib.loads(_read_text(path))
    except OSError as error:
        raise PracticeFileError([f"{path}: {error.strerror}; set PRACTICE_FILE"]) from None
    except UnicodeDecodeError:
        raise PracticeFileError([f"{path}: is not text in UTF-8; save it with that encoding"]) from None
    except RecursionError:
        raise PracticeFileError([f"{path}: not valid TOML: its lists or tables are nested too deeply"]) from None
    except ValueError as error:  # tomllib's own error, or a number with too many digits
        raise PracticeFileError([f"{path}: not valid TOML: {error}"]) from None
    try:
        return parse_practice(content)
    except InvalidPractice as error:
        raise PracticeFileError([f"{path}: {problem}" for problem in error.problems]) from None


def _read_text(path: Path) -> str:
    """Without the byte order mark that Windows Notepad writes. Raises OSError, UnicodeDecodeError and ValueError."""
    with path.open("rb") as file:
        raw = file.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES // 1024} KiB")
    return raw.decode("utf-8-sig")
