"""The table of guards: one ``*.toml`` file for each area, beside this module."""

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from devstack import ROOT

TABLES = Path(__file__).parent


class Guard(BaseModel):
    """A few lines of code that keep one promise."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    """The promise, as a sentence."""
    file: str
    text: str
    """The guard exactly as it stands in the file, once. A newline right after the opening quotes is not part of it."""
    replacement: str
    """What stands there when somebody takes the guard out. It must be valid code."""
    tests: list[str] = Field(min_length=1)
    """Tests of which at least one must fail then, as pytest names them."""
    quick: bool = False
    """Its tests take a few seconds, and CI runs it with every change."""


def read_guards() -> list[Guard]:
    return [
        Guard.model_validate(entry)
        for table in sorted(TABLES.glob("*.toml"))
        for entry in tomllib.loads(table.read_text())["guards"]
    ]


def staleness(guard: Guard, root: Path = ROOT) -> str:
    """Why the entry no longer fits the tree. Empty when it fits."""
    path = root / guard.file
    count = path.read_text().count(guard.text) if path.exists() else 0
    if count != 1:
        return f"{guard.file} has the text {count} times; it must have it once"
    missing = [test for test in guard.tests if not _has_test(root, test)]
    return f"there is no {', '.join(missing)}" if missing else ""


def _has_test(root: Path, test: str) -> bool:
    file, _, name = test.partition("::")
    path, function = root / file, name.partition("[")[0]
    return path.exists() and (not function or f"def {function}(" in path.read_text())
