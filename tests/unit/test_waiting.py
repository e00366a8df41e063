"""Workflows wait in one way, the same on every Python."""

import ast
from pathlib import Path

import pytest

from demo.stack import ROOT

DIFFER = {"wait_for", "timeout", "timeout_at", "wait", "as_completed", "TaskGroup"}
"""Of asyncio: the loop's turns that they take depend on the version of Python."""


@pytest.mark.parametrize("path", sorted((ROOT / "workflows").glob("*.py")), ids=lambda path: path.stem)
def test_no_workflow_waits_by_what_differs_from_python_to_python(path: Path) -> None:
    for call in (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)):
        called, given = ast.unparse(call.func), {word.arg for word in call.keywords}
        assert called not in {f"asyncio.{name}" for name in DIFFER}
        assert called != "workflow.wait_condition" or "timeout" not in given
