"""The table of guards fits the tree, and the script that takes them out can tell a guard that no test misses."""

import pytest

from tests.guards.guard_table import Guard, read_guards, staleness
from tests.guards.removals import Verdict, copied_tree, try_without

GUARDS = read_guards()


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_guard_stands_in_its_file_once_and_its_tests_exist(guard: Guard) -> None:
    assert staleness(guard) == ""
    assert guard.replacement != guard.text


def test_names_of_guards_are_unique() -> None:
    assert len({guard.name for guard in GUARDS}) == len(GUARDS)


def test_removal_that_no_test_misses_is_reported() -> None:
    text, tests = "secrets.token_bytes(16)", ["tests/unit/test_codec.py::test_nonces_do_not_repeat"]
    unrelated = Guard(name="x", file="domain/reference.py", text=text, replacement="bytes(16)", tests=tests)
    unparsable = unrelated.model_copy(
        update={"file": "runtime/codec.py", "text": "NONCE_BYTES = 12", "replacement": "("}
    )
    with copied_tree() as tree:
        assert try_without(unrelated, tree)[0] is Verdict.SURVIVED
        assert try_without(unparsable, tree)[0] is Verdict.BROKEN
        assert text in (tree / "domain/reference.py").read_text()
