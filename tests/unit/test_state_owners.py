"""Each field of a booking's state has one writer: the part that declares it.

Read from the syntax tree: outside ``self``, nobody in ``workflows/`` assigns to an attribute, deletes one, or changes
a collection that another object holds.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack import ROOT

WORKFLOWS = ROOT / "workflows"
STATE = WORKFLOWS / "booking" / "state"
CHANGING = {"add", "append", "clear", "discard", "extend", "insert", "pop", "popitem", "remove", "setdefault", "update"}
"""Methods of built-in collections that change them."""
MODULES = sorted(WORKFLOWS.rglob("*.py"))


def written_attributes(tree: ast.AST) -> Iterator[ast.Attribute]:
    """Every attribute that the code assigns to, deletes, or changes in place."""
    for node in ast.walk(tree):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign | ast.Delete):
            targets = list(node.targets)
        elif isinstance(node, ast.AugAssign | ast.AnnAssign):
            targets = [node.target]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CHANGING:
            targets = [node.func.value]
        for target in targets:
            yield from _attributes_in(target)


def _attributes_in(target: ast.expr) -> Iterator[ast.Attribute]:
    if isinstance(target, ast.Tuple | ast.List):
        for each in target.elts:
            yield from _attributes_in(each)
    elif isinstance(target, ast.Subscript):
        yield from _attributes_in(target.value)
    elif isinstance(target, ast.Attribute):
        yield target


def is_own(attribute: ast.Attribute) -> bool:
    return isinstance(attribute.value, ast.Name) and attribute.value.id == "self"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(WORKFLOWS)))
def test_objects_write_only_their_own_attributes(path: Path) -> None:
    foreign = [a for a in written_attributes(ast.parse(path.read_text())) if not is_own(a)]
    assert not foreign, [f"{path.name}:{a.lineno}: {ast.unparse(a)}" for a in foreign]


def test_each_field_of_the_state_is_written_by_one_module() -> None:
    declared: dict[str, set[str]] = defaultdict(set)
    for path in STATE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                fields = [n.target for n in node.body if isinstance(n, ast.AnnAssign)]
                for field in fields:
                    assert isinstance(field, ast.Name)
                    declared[field.id].add(path.stem)
    assert len(declared) > 40, "the fields were not found"
    writers: dict[str, set[str]] = defaultdict(set)
    for path in MODULES:
        for attribute in written_attributes(ast.parse(path.read_text())):
            if attribute.attr in declared and is_own(attribute) and path.parent == STATE:
                writers[attribute.attr].add(path.stem)
    strangers = {field: sorted(found - declared[field]) for field, found in writers.items() if found - declared[field]}
    assert not strangers


def test_a_foreign_write_is_noticed() -> None:
    """The check itself sees each way of writing to another object."""
    ways = [
        "state.office.checks = 1",
        "state.office.checks += 1",
        "a, state.office.checks = 1, 2",
        "del state.office.events['1']",
        "state.office.events['1'] = event",
        "state.messages.append(message)",
        "self._state.office.checks = 1",
    ]
    for way in ways:
        assert [a for a in written_attributes(ast.parse(way)) if not is_own(a)], way
