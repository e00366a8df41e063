"""Fixtures: the dev stack with a real Temporal server, a real worker and the sandbox, and the scripted harness."""

import base64
import os
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import Client

from adapters.practice_file import read_practice
from client import DeskClient
from devstack import ROOT, DevStack
from runtime.client import connect
from settings import load_settings
from tests.support.sandbox import SandboxControl
from tests.support.workflow_harness import WorkflowHarness, running_harness

TEST_KEY = "test:" + base64.b64encode(b"holdfast tests, not a secret key").decode()

OAKLAND_TEST_SERVICES = """
[[locations.services]]
id = "hurried"
label = "Hurried"
duration = "30m"
confirmation = "staff"
staff_deadline = "2s"
hold_expiry = "5s"

[[locations.services]]
id = "first-visit"
label = "First visit"
duration = "30m"
existing_patients = false

[[locations.services]]
id = "recall"
label = "Recall"
duration = "30m"
new_patients = false
"""
"""A service whose deadlines pass within a test, one for new patients only, and one for existing patients only."""

DESK_IS_ALWAYS_THERE = "".join(
    f'desk_hours.{day} = ["00:00-24:00"]\n'
    for day in ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
)
"""So that those deadlines pass at any time of day."""

FREQUENT_LANDING_CHECKS = 'check_after = ["5s"]\ncheck_while_offline = "20s"\n'
"""A test can wait for what no webhook reports."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The saved histories come last: on request they are recorded from what the other tests of the session ran."""
    items.sort(key=lambda item: item.path.name == "test_replay.py")


def write_test_practice(path: Path) -> None:
    """Write the example practice with shorter times and the services above."""
    text = (ROOT / "practice.toml").read_text()
    text = text.replace('horizon = "90d"\n', 'horizon = "365d"\n')  # every test uses a day of its own
    text = text.replace('system = "ascend"\n', 'system = "ascend"\nlate_commit = "10s"\n')
    text = text.replace('system = "dentrix"\n', 'system = "dentrix"\nlate_commit = "5s"\n')
    for system in ("dentrix", "dentrix-enterprise", "eaglesoft"):
        text = text.replace(f'system = "{system}"\n', f'system = "{system}"\nresend_after = "2s"\n')
    text = text.replace('id = "brooklyn"\n', 'id = "brooklyn"\nplaceholder_patient = "9000000000313"\n')
    text = text.replace('id = "oakland"\n', f'id = "oakland"\n{DESK_IS_ALWAYS_THERE}')
    next_location = '\n[[locations]]\nid = "denver"\n'
    text = text.replace(next_location, OAKLAND_TEST_SERVICES + next_location)
    path.write_text(text.replace('system = "eaglesoft"\n', f'system = "eaglesoft"\n{FREQUENT_LANDING_CHECKS}'))


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevStack]:
    original_environment = dict(os.environ)
    folder = tmp_path_factory.mktemp("stack")
    write_test_practice(folder / "practice.toml")
    os.environ |= {"PAYLOAD_KEYS": TEST_KEY, "PRACTICE_FILE": str(folder / "practice.toml")}
    try:
        with DevStack(folder, print, any_ports=True) as stack:
            yield stack
    finally:
        os.environ.clear()
        os.environ.update(original_environment)


@pytest.fixture
def control(stack: DevStack) -> SandboxControl:
    """The sandbox, reset to its seed data."""
    control = SandboxControl(stack.sandbox_url)
    control.reset(keep_subscriptions=True)
    _forget_earlier_tests(stack.state_dir / "ledger.db")
    return control


def _forget_earlier_tests(ledger: Path) -> None:
    """Every test books for the same few people, who may have only so many messages a day and visits to come."""
    with closing(sqlite3.connect(ledger, timeout=10)) as connection, connection:
        connection.execute("UPDATE messages SET updated_at = updated_at - 86400")
        connection.execute("UPDATE claims SET person = NULL, chart = NULL, contact = NULL, other_contact = NULL")


@pytest.fixture
async def client(stack: DevStack) -> Client:
    return await connect(load_settings())


@pytest.fixture
def bookings(client: Client) -> DeskClient:
    return DeskClient(client, read_practice(load_settings().practice_file), "bookings")


@pytest.fixture
def unserved_bookings(client: Client, monkeypatch: pytest.MonkeyPatch) -> DeskClient:
    """Bookings on a task queue that no worker serves. Calls time out after one second."""
    monkeypatch.setattr("client.bookings.RPC_TIMEOUT", timedelta(seconds=1))
    return DeskClient(client, read_practice(load_settings().practice_file), "nobody-serves-this")


@pytest.fixture(params=[1000, 0], ids=["cached", "uncached"])
async def harness(client: Client, request: pytest.FixtureRequest) -> AsyncIterator[WorkflowHarness]:
    """With a worker that caches workflows, and with one that replays every task, as after a restart."""
    async with running_harness(client, max_cached_workflows=request.param) as harness:
        yield harness
