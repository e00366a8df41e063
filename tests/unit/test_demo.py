"""The demo begins anew without touching what is not its own."""

from pathlib import Path

import pytest

from demo import people
from demo.morning import plan
from demo.people import Cast
from demo.stack import ROOT, Stack, StackError


def test_a_new_morning_deletes_only_what_the_last_one_left(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for name in ("notes.txt", "payload.keys"):
        (tmp_path / name).touch()
    first = plan(tmp_path, fresh=False)
    (tmp_path / "ledger.db").touch()
    assert plan(tmp_path, fresh=False) == first
    assert plan(tmp_path, fresh=True) != first
    assert {path.name for path in tmp_path.iterdir()} == {"photos", "notes.txt", "payload.keys", "morning.json"}


@pytest.mark.parametrize("fresh", [False, True])
def test_a_ledger_of_somebody_else_is_not_deleted(tmp_path: Path, fresh: bool) -> None:
    (tmp_path / "ledger.db").touch()
    with pytest.raises(StackError, match="no demo's; set STATE_DIR"):
        plan(tmp_path, fresh)
    assert (tmp_path / "ledger.db").exists()


def test_a_second_demo_on_the_same_state_is_refused_before_it_touches_anything(tmp_path: Path) -> None:
    first, second = (Stack(tmp_path, print) for _ in range(2))
    first.claim()
    with pytest.raises(StackError, match="already running"):
        second.claim()


def test_the_request_of_the_readme_is_nobodys_of_the_cast() -> None:
    cast = [one for one in vars(people).values() if isinstance(one, Cast)]
    assert not [one for one in cast if f"+1{one.phone}" in (ROOT / "README.md").read_text()]
