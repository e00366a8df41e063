"""Which module may import which. Extends import-linter's contracts to the modules that it cannot handle.

import-linter takes packages only, so ``settings.py``, ``worker.py`` and ``starter.py`` are checked here, over the
syntax tree, against the same order of layers.
"""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONTRACT = PYPROJECT["tool"]["importlinter"]["contracts"][0]
PACKAGE_LAYERS = [{name.strip() for name in layer.split("|")} for layer in CONTRACT["layers"]]
LAYERS = [
    {"starter"},
    *(layer | {"worker"} if "cli" in layer else layer for layer in PACKAGE_LAYERS),
    {"settings"},
]
"""From the top down. A module may import those of lower layers only."""
LEVELS = {name: len(LAYERS) - number for number, layer in enumerate(LAYERS) for name in layer}
STANDALONE = {"sandbox"}
"""A program of its own: it imports nothing of ours, and nothing of ours imports it."""


def top_level_names() -> set[str]:
    """Every package and module at the top of the repository, without the tests."""
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    return (packages | {path.stem for path in ROOT.glob("*.py")}) - {"tests"}


def source_files(name: str) -> list[Path]:
    module = ROOT / f"{name}.py"
    return [module] if module.exists() else sorted((ROOT / name).rglob("*.py"))


def our_imports(path: Path) -> Iterator[str]:
    """The top-level packages and modules of ours that this file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [node.module or ""]
        else:
            continue
        yield from {name.partition(".")[0] for name in names} & (set(LEVELS) | STANDALONE | {"tests"})


def test_every_package_and_module_has_a_layer() -> None:
    assert set(LEVELS) | STANDALONE == top_level_names()
    assert set(PYPROJECT["tool"]["importlinter"]["root_packages"]) == top_level_names() - {
        "settings",
        "worker",
        "starter",
    }


@pytest.mark.parametrize("name", sorted(LEVELS))
def test_imports_go_down_the_layers(name: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {imported}"
        for path in source_files(name)
        for imported in our_imports(path)
        if imported != name and LEVELS.get(imported, LEVELS[name]) >= LEVELS[name]
    ]
    assert wrong == []


@pytest.mark.parametrize("name", ["settings", *sorted(STANDALONE)])
def test_module_imports_nothing_of_ours(name: str) -> None:
    assert {imported for path in source_files(name) for imported in our_imports(path)} <= {name}
