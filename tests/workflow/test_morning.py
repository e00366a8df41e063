"""The whole demo, with its server and its worker killed in mid-morning, and what it leaves on disk."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from demo import people
from demo.people import Cast
from demo.stack import ROOT

CANARIES = [
    text.encode()
    for person in vars(people).values()
    if isinstance(person, Cast)
    for text in (person.last, person.email, person.phone, person.born)
] + [b"wheelchair"]


OUTSIDE = dict(os.environ)
"""As it is before other tests bring up a stack with a practice of its own."""


def demo(state_dir: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "starter.py", "demo", "--once", "--json"]
    environment = {**OUTSIDE, "STATE_DIR": str(state_dir)}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def kill_part(command: str, parent: int) -> None:
    """``kill -9`` of one child of the demo, found by its command line, once it is there."""
    for _ in range(300):
        found = subprocess.run(["pgrep", "-P", str(parent), "-f", command], capture_output=True, text=True).stdout
        if found:
            return os.kill(int(found.split()[0]), signal.SIGKILL)
        time.sleep(0.1)
    pytest.fail(f"{command} never came up")


@pytest.fixture(scope="module")
def morning(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    state_dir = tmp_path_factory.mktemp("morning")
    first = demo(state_dir)
    time.sleep(6)
    os.kill(first.pid, signal.SIGKILL)  # everything at once: the children die with their parent
    first.communicate()
    second = demo(state_dir)
    time.sleep(5)
    kill_part("worker.py", second.pid)
    time.sleep(4)
    kill_part("start-dev", second.pid)
    output, errors = second.communicate(timeout=200)
    assert output, errors[-3000:]
    return json.loads(output.splitlines()[-1]), state_dir


@pytest.mark.timeout(300)
def test_killed_in_mid_morning_it_ends_as_it_should_with_nothing_lost_or_doubled(
    morning: tuple[dict[str, Any], Path],
) -> None:
    report, _ = morning
    assert [outcome for outcome in report["outcomes"] if not outcome["ok"]] == []
    assert report["calendar"] == {"overlaps": 0, "duplicates": 0, "orphans": 0}
    assert report["ok"]
    assert len(report["outcomes"]) >= 15


def test_no_patient_is_readable_in_the_servers_database_the_ledger_or_any_log(
    morning: tuple[dict[str, Any], Path],
) -> None:
    _, state_dir = morning
    practices = set(state_dir.glob("sandbox*.db*"))
    looked_at = [path for path in state_dir.iterdir() if path.is_file() and path not in practices]
    assert {"temporal.db", "ledger.db", "worker.log", "web.log"} <= {path.name for path in looked_at}
    for path in looked_at:
        content = path.read_bytes()
        assert [canary for canary in CANARIES if canary in content] == [], path.name
    practice = b"".join(path.read_bytes() for path in practices)
    assert any(canary in practice for canary in CANARIES), "the search itself would find nothing"


def test_logs_hold_no_secret_and_no_birth_date_in_an_address(morning: tuple[dict[str, Any], Path]) -> None:
    _, state_dir = morning
    for path in state_dir.glob("*.log"):
        assert not re.search(
            rb"sandbox-secret|SG\.sandbox|sandbox-nexhealth-key|Bearer |dateOfBirth==|date_of_birth=", path.read_bytes()
        ), path.name
