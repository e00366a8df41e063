"""Bookings against the real server, the real worker and the sandbox."""

import base64
import os
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from temporalio.client import Client

from adapters.practice_file import read_practice
from client import BookingClient
from devstack import ROOT, DevStack
from runtime.client import connect
from settings import load_settings
from tests.support.by_hand import ByHand, by_hand
from tests.support.sandbox import SandboxControl

TEST_KEY = "test:" + base64.b64encode(b"holdfast tests, not a secret key").decode()


HURRIED = """
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

[[locations]]
id = "denver"
"""
"""A service whose deadlines come within a test, and two that are not for everybody."""


LOOKS = 'check_after = ["5s"]\ncheck_while_offline = "20s"\n'
"""So that a test can wait for what no webhook tells."""


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevStack]:
    before = dict(os.environ)
    folder = tmp_path_factory.mktemp("stack")
    example = (ROOT / "practice.toml").read_text()
    example = example.replace('horizon = "90d"\n', 'horizon = "365d"\n')  # every test has a day of its own
    example = example.replace('system = "ascend"\n', 'system = "ascend"\nlate_commit = "10s"\n')
    example = example.replace('system = "dentrix"\n', 'system = "dentrix"\nlate_commit = "5s"\n')
    for office in ("dentrix", "dentrix-enterprise", "eaglesoft"):
        example = example.replace(f'system = "{office}"\n', f'system = "{office}"\nresend_after = "2s"\n')
    example = example.replace('id = "brooklyn"\n', 'id = "brooklyn"\nplaceholder_patient = "9000000000313"\n')
    hurried = example.replace('\n[[locations]]\nid = "denver"\n', HURRIED)
    (folder / "practice.toml").write_text(hurried.replace('system = "eaglesoft"\n', f'system = "eaglesoft"\n{LOOKS}'))
    os.environ |= {"PAYLOAD_KEYS": TEST_KEY, "PRACTICE_FILE": str(folder / "practice.toml")}
    try:
        with DevStack(folder, print, any_ports=True) as running:
            yield running
    finally:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture
def control(stack: DevStack) -> SandboxControl:
    control = SandboxControl(stack.sandbox_url)
    control.reset(keep_subscriptions=True)
    _a_day_passes(stack.state_dir / "ledger.db")
    return control


def _a_day_passes(ledger: Path) -> None:
    """Since the messages of the tests before: an address gets so many a day and no more."""
    with closing(sqlite3.connect(ledger, timeout=10)) as connection, connection:
        connection.execute("UPDATE messages SET updated_at = updated_at - 86400")


@pytest.fixture
async def client(stack: DevStack) -> Client:
    return await connect(load_settings())


@pytest.fixture
def bookings(client: Client) -> BookingClient:
    return BookingClient(client, read_practice(load_settings().practice_file), "bookings")


@pytest.fixture(params=[1000, 0], ids=["remembered", "forgotten"])
async def hand(client: Client, request: pytest.FixtureRequest) -> AsyncIterator[ByHand]:
    """On a worker that has bookings in memory, and on one that, as after every restart, has none."""
    async with by_hand(client, remembered=request.param) as hand:
        yield hand
