"""What all tests share."""

import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.support.postgres import running_postgres
from tests.support.sandbox import SandboxControl, running_sandbox

ANY_PACE: dict[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
"""How long an example takes says how busy the machine is."""
settings.register_profile("always the same", derandomize=True, **ANY_PACE)
settings.register_profile("freely", max_examples=2000, **ANY_PACE)
settings.load_profile("freely" if os.environ.get("EXPLORE") else "always the same")
_exit_status = 0


@pytest.fixture(scope="session")
def sandbox_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxControl]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox")) as control:
        yield control


@pytest.fixture
def sandbox(sandbox_process: SandboxControl) -> Iterator[SandboxControl]:
    """Fails the test that says to NexHealth, or is told by it, what the vendor's document does not allow."""
    sandbox_process.reset()
    yield sandbox_process
    assert sandbox_process.state()["nexhealth"]["violations"] == []


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    with running_postgres() as url:
        yield url


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: Any, exitstatus: int) -> None:
    global _exit_status
    _exit_status = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: Any) -> None:
    """The Temporal SDK's threads may crash an orderly interpreter exit after all tests are done."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(_exit_status)
