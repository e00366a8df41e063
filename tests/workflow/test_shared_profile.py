"""Whole processes with other keys or another practice file than the worker's, and which keys may go."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from temporalio.client import Client

from cli.keys import key_reports
from client import DeskClient
from devstack import ROOT, DevStack, free_port
from runtime.key_usage import read_key_usage
from runtime.keys import Keyring
from settings import parse_keys
from tests.support.bookings import at, build_request, next_free_day
from tests.workflow.conftest import TEST_KEY

OTHER_KEY = base64.b64encode(bytes(range(32))).decode()


def run(command: list[str], environment: dict[str, str], text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=environment,
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
    )


def request_text(request_id: str) -> str:
    return build_request(at(next_free_day(), 9), request_id=request_id).model_dump_json()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"PAYLOAD_KEYS": f"test:{OTHER_KEY}"}, "PAYLOAD_KEYS: key test has other bytes than the workers'"),
        ({"PAYLOAD_KEYS": f"mine:{OTHER_KEY}"}, "PAYLOAD_KEYS: no worker has key mine"),
        ({"PRACTICE_FILE": str(ROOT / "practice.toml")}, "PRACTICE_FILE:"),
    ],
)
async def test_client_and_receiver_with_another_profile_do_not_start(
    stack: DevStack, client: Client, changes: dict[str, str], problem: str
) -> None:
    environment = {**stack.environment, **changes, "WEB_ADDRESS": f"127.0.0.1:{free_port(0)}"}
    request_id = os.urandom(8).hex()
    done = run(["starter.py", "submit", "-", "--json"], environment, request_text(request_id))
    assert done.returncode == 1
    assert problem in json.loads(done.stdout.splitlines()[-1])["error"]
    assert (await client.count_workflows(f"WorkflowId = 'booking-{request_id}'")).count == 0
    done = run(["-m", "web"], environment)
    assert (done.returncode, problem in done.stderr) == (2, True)


async def test_website_that_sets_only_its_practice_file_is_refused_and_makes_no_key(
    stack: DevStack, tmp_path: Path
) -> None:
    names = {"PAYLOAD_KEYS", "STATE_DIR", "LEDGER_URL"}
    environment = {name: value for name, value in stack.environment.items() if name not in names}
    environment |= {"STATE_DIR": str(tmp_path / "site")}
    done = run(["starter.py", "submit", "-", "--json"], environment, request_text(os.urandom(8).hex()))
    assert done.returncode == 1
    assert "PAYLOAD_KEYS: is missing; set it to the workers' keys" in json.loads(done.stdout)["error"]
    assert not list(tmp_path.glob("site/*.keys"))
    environment |= {"PAYLOAD_KEYS": TEST_KEY}
    done = run(["starter.py", "submit", "-", "--json"], environment, request_text(os.urandom(8).hex()))
    assert done.returncode == 1
    assert "no worker has started with this ledger" in json.loads(done.stdout)["error"]


async def test_key_may_go_when_no_booking_uses_it(client: Client, bookings: DeskClient) -> None:
    view = await bookings.submit(build_request(at(next_free_day(), 9)))
    progress: list[tuple[int, int]] = []
    usage = await read_key_usage(client, lambda done, total: progress.append((done, total)))
    assert usage.bookings == len(progress) == (await client.count_workflows("WorkflowType = 'BookingWorkflow'")).count
    assert progress[-1][0] == usage.bookings
    assert usage.open_bookings["test"] >= 1, view
    keys = Keyring(parse_keys(f"new:{OTHER_KEY},{TEST_KEY},unused:{OTHER_KEY}"))
    assert {r.key_id: (r.encrypts, r.may_go, r.is_missing) for r in key_reports(keys, usage)} == {
        "new": (True, False, False),
        "test": (False, False, False),
        "unused": (False, True, False),
    }
    without = key_reports(Keyring(parse_keys(f"new:{OTHER_KEY}")), usage)
    assert [r.key_id for r in without if r.is_missing] == ["test"]


async def test_keys_command_counts_every_booking(stack: DevStack, bookings: DeskClient) -> None:
    before = json.loads(run(["starter.py", "keys", "--json"], stack.environment).stdout)
    await bookings.submit(build_request(at(next_free_day(), 9)))
    done = run(["starter.py", "keys", "--json"], stack.environment)
    answer = json.loads(done.stdout)
    (key,) = answer["keys"]
    assert (done.returncode, key["key_id"], key["may_go"]) == (0, "test", False)
    (former,) = before["keys"]
    used = key["open_bookings"] + key["closed_bookings"]
    assert used == former["open_bookings"] + former["closed_bookings"] + 1
    assert answer["not_encrypted"] == before["not_encrypted"], "only other tests send anything in clear"


async def test_check_says_of_each_key_how_many_bookings_use_it(stack: DevStack, bookings: DeskClient) -> None:
    await bookings.submit(build_request(at(next_free_day(), 9)))
    answer = json.loads(run(["starter.py", "check", "--json"], stack.environment).stdout)
    (finding,) = [finding for finding in answer["findings"] if finding["what"] == "payload key test"]
    assert finding["ok"]
    assert "bookings use it; it encrypts new ones" in finding["remedy"]
