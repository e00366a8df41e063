"""Take guards out of a temporary copy of the tree, one after the other, and run the tests named for each."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory

from devstack import ROOT
from tests.guards.guard_table import Guard

NOT_COPIED = shutil.ignore_patterns(".git", ".venv*", ".holdfast", "__pycache__", ".*_cache", ".coverage*")
TIMEOUT = 600
"""Seconds for the tests of one guard."""
PYTEST_PASSED, PYTEST_FAILED = 0, 1


class Verdict(StrEnum):
    NOTICED = "noticed"
    SURVIVED = "survived"
    """No test failed without the guard."""
    BROKEN = "broken"
    """The tests could not run, so they say nothing."""


@contextmanager
def copied_tree() -> Iterator[Path]:
    with TemporaryDirectory(prefix="holdfast-guards-") as folder:
        tree = Path(folder) / "tree"
        shutil.copytree(ROOT, tree, ignore=NOT_COPIED, symlinks=True)
        yield tree


def run_tests(tree: Path, tests: list[str]) -> tuple[int, str]:
    """pytest's exit code and output. A run that takes too long counts as failed."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--tb=short", "-p", "no:cacheprovider", *tests]
    # Without bytecode files: a file that is replaced within the second by one of the same size would run as it was.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        return PYTEST_FAILED, f"no end after {TIMEOUT} s"
    has_skipped_all = done.returncode == PYTEST_PASSED and " passed" not in done.stdout
    return (-1 if has_skipped_all else done.returncode), done.stdout + done.stderr


def try_without(guard: Guard, tree: Path) -> tuple[Verdict, str]:
    """What the tests say without the guard, and their output. The tree is as before afterwards."""
    path = tree / guard.file
    original = path.read_text()
    path.write_text(original.replace(guard.text, guard.replacement))
    try:
        code, output = run_tests(tree, guard.tests)
    finally:
        path.write_text(original)
    verdicts = {PYTEST_PASSED: Verdict.SURVIVED, PYTEST_FAILED: Verdict.NOTICED}
    return verdicts.get(code, Verdict.BROKEN), output
