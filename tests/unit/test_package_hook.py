"""How the build puts our packages under the one name ``holdfast``."""

import pytest

from scripts.package_hook import CannotPackage, rename_imports


@pytest.mark.parametrize(
    ("source", "renamed"),
    [
        ("from domain.slot import Slot\n", "from holdfast.domain.slot import Slot\n"),
        ("from settings import (\n    A,\n    B,\n)\n", "from holdfast.settings import (\n    A,\n    B,\n)\n"),
        ("import domain\n", "from holdfast import domain\n"),
        ("import domain as rules, adapters\n", "from holdfast import domain as rules, adapters\n"),
        ("def f():\n    from client import x; return x\n", "def f():\n    from holdfast.client import x; return x\n"),
        ("é = 1; from domain import x\n", "é = 1; from holdfast.domain import x\n"),
        ("from temporalio.client import Client\n", "from temporalio.client import Client\n"),
        ("import settings_of_others\n", "import settings_of_others\n"),
        ('text = "from domain import x"  # import domain\n', 'text = "from domain import x"  # import domain\n'),
    ],
)
def test_only_imports_of_our_own_modules_are_renamed(source: str, renamed: str) -> None:
    assert rename_imports(source, "x.py") == renamed


@pytest.mark.parametrize("source", ["import domain.slot\n", 'modules = ["adapters.ledger"]\n', "import os, client.x\n"])
def test_what_cannot_be_renamed_stops_the_build(source: str) -> None:
    with pytest.raises(CannotPackage, match=r"x\.py:1: "):
        rename_imports(source, "x.py")
