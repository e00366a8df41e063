"""What the tests of adapters and steps work with."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.ascend import AscendSystem
from adapters.ledger import Ledger
from tests.support.practice_systems import CONNECTIONS, Bench, ascend_at, bench
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
async def at(sandbox: SandboxControl, request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    """Every practice system in turn."""
    with bench(sandbox, request.param) as found:
        yield found
        await found.system.close()
