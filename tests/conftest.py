"""Fixtures and settings for all tests."""

import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.support.postgres import running_postgres
from tests.support.sandbox import SandboxControl, running_sandbox

NO_TIME_LIMITS: dict[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
"""An example's duration depends on how busy the machine is."""
settings.register_profile("deterministic", derandomize=True, **NO_TIME_LIMITS)
settings.register_profile("explore", max_examples=2000, **NO_TIME_LIMITS)
settings.load_profile("explore" if os.environ.get("EXPLORE") else "deterministic")
_exit_status = 0


@pytest.fixture(scope="session")
def sandbox_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxControl]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox")) as control:
        yield control


@pytest.fixture
def sandbox(sandbox_process: SandboxControl) -> Iterator[SandboxControl]:
    """A fresh sandbox. Fails the test if a call or answer violates the vendor's OpenAPI document."""
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
    """Exit at once: the Temporal SDK's threads may crash an orderly interpreter exit after all tests are done."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(_exit_status)
