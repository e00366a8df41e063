"""Fixtures for tests of adapters and activities."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.ascend import AscendSystem
from adapters.ledger import Ledger
from tests.support.practice_systems import CONNECTIONS, PracticeUnderTest, ascend_at, practice_under_test
from tests.support.sandbox import SandboxControl


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    await ledger.migrate()
    yield ledger
    await ledger.close()


@pytest.fixture
async def ascend(sandbox: SandboxControl) -> AsyncIterator[AscendSystem]:
    system = ascend_at(sandbox)
    yield system
    await system.close()


@pytest.fixture(params=CONNECTIONS)
async def practice(sandbox: SandboxControl, request: pytest.FixtureRequest) -> AsyncIterator[PracticeUnderTest]:
    """A practice on every practice system in turn."""
    with practice_under_test(sandbox, request.param) as practice:
        yield practice
        await practice.system.close()
