"""The demo begins a new morning without touching files that are not its own."""

from pathlib import Path

import pytest

from demo import people
from demo.people import DemoPatient
from demo.plan import load_or_create_plan
from devstack import ROOT, StackError


def test_new_morning_deletes_only_what_the_last_one_left(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for name in ("notes.txt", "payload.keys"):
        (tmp_path / name).touch()
    first = load_or_create_plan(tmp_path, fresh=False)
    (tmp_path / "ledger.db").touch()
    assert load_or_create_plan(tmp_path, fresh=False) == first
    assert load_or_create_plan(tmp_path, fresh=True) != first
    assert {path.name for path in tmp_path.iterdir()} == {"photos", "notes.txt", "payload.keys", "morning.json"}


@pytest.mark.parametrize("fresh", [False, True])
def test_ledger_that_is_not_of_a_demo_is_not_deleted(tmp_path: Path, fresh: bool) -> None:
    (tmp_path / "ledger.db").touch()
    with pytest.raises(StackError, match="set STATE_DIR"):
        load_or_create_plan(tmp_path, fresh)
    assert (tmp_path / "ledger.db").exists()


def test_patient_in_the_readme_is_not_in_the_demos_cast() -> None:
    cast = [person for person in vars(people).values() if isinstance(person, DemoPatient)]
    assert cast
    assert not [person for person in cast if f"+1{person.phone}" in (ROOT / "README.md").read_text()]
