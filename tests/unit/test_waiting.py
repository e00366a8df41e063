"""Workflows wait only in ways that record the same history on every Python version. See decision 0013."""

import ast
from pathlib import Path

import pytest

from devstack import ROOT

VERSION_DEPENDENT_WAITS = {
    f"asyncio.{name}" for name in ("wait_for", "timeout", "timeout_at", "wait", "as_completed", "TaskGroup")
}
"""How many turns of the event loop these take depends on the Python version."""
WORKFLOW_FILES = sorted((ROOT / "workflows").rglob("*.py"))


def test_workflow_files_are_found() -> None:
    folders = {path.parent for path in WORKFLOW_FILES}
    assert {ROOT / "workflows" / "booking", ROOT / "workflows" / "shared"} <= folders


@pytest.mark.parametrize("path", WORKFLOW_FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_workflow_uses_no_version_dependent_wait(path: Path) -> None:
    for call in (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)):
        function, keywords = ast.unparse(call.func), {keyword.arg for keyword in call.keywords}
        assert function not in VERSION_DEPENDENT_WAITS
        assert function != "workflow.wait_condition" or "timeout" not in keywords
