"""The whole demo, while its processes are killed, and what it leaves on disk."""

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
from demo.people import DemoPatient
from devstack import ROOT

PERSONAL_DATA = [
    text.encode()
    for person in vars(people).values()
    if isinstance(person, DemoPatient)
    for text in (person.last, person.email, person.phone, person.born)
] + [b"wheelchair"]
"""Of all patients in the demo, and a word from a patient's note."""

ENVIRONMENT = dict(os.environ)
"""Taken at import, before other tests start a stack and set its variables."""


def start_demo(state_dir: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "starter.py", "demo", "--once", "--json"]
    environment = {**ENVIRONMENT, "STATE_DIR": str(state_dir)}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_for_child(command: str, parent: int) -> int:
    """Wait for a child process of the demo with this command line. Returns its process id."""
    for _ in range(600):
        pids = subprocess.run(["pgrep", "-P", str(parent), "-f", "--", command], capture_output=True, text=True).stdout
        if pids:
            return int(pids.split()[0])
        time.sleep(0.1)
    pytest.fail(f"{command} did not start")


def kill_child(command: str, parent: int) -> None:
    """``kill -9`` a child process of the demo, as soon as there is one."""
    os.kill(wait_for_child(command, parent), signal.SIGKILL)


@pytest.fixture(scope="module")
def morning(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """The report and the state directory of a demo that was killed, continued, and lost its worker and its server."""
    state_dir = tmp_path_factory.mktemp("morning")
    first = start_demo(state_dir)
    wait_for_child("-m web", first.pid)
    time.sleep(4)
    os.kill(first.pid, signal.SIGKILL)  # the child processes die with their parent
    first.communicate()
    second = start_demo(state_dir)
    wait_for_child("-m web", second.pid)  # the last process to start
    time.sleep(5)
    kill_child("worker.py", second.pid)
    time.sleep(4)
    kill_child("start-dev", second.pid)
    output, errors = second.communicate(timeout=200)
    assert output, errors[-3000:]
    return json.loads(output.splitlines()[-1]), state_dir


@pytest.mark.timeout(300)
def test_a_morning_with_killed_processes_ends_as_expected_with_nothing_lost_or_duplicated(
    morning: tuple[dict[str, Any], Path],
) -> None:
    report, _ = morning
    assert [outcome for outcome in report["outcomes"] if not outcome["ok"]] == []
    assert report["calendar"] == {"overlaps": 0, "duplicates": 0, "orphans": 0}
    assert report["ok"]
    assert len(report["outcomes"]) >= 15


def test_temporal_database_ledger_and_logs_contain_no_personal_data(
    morning: tuple[dict[str, Any], Path],
) -> None:
    _, state_dir = morning
    sandbox_files = set(state_dir.glob("sandbox*.db*"))
    our_files = [path for path in state_dir.iterdir() if path.is_file() and path not in sandbox_files]
    assert {"temporal.db", "ledger.db", "worker.log", "web.log"} <= {path.name for path in our_files}
    for path in our_files:
        content = path.read_bytes()
        assert [text for text in PERSONAL_DATA if text in content] == [], path.name
    sandbox_content = b"".join(path.read_bytes() for path in sandbox_files)
    assert any(text in sandbox_content for text in PERSONAL_DATA), "the sandbox must have it, or this search is broken"


def test_logs_contain_no_secret_and_no_url_with_a_birth_date(morning: tuple[dict[str, Any], Path]) -> None:
    _, state_dir = morning
    for path in state_dir.glob("*.log"):
        assert not re.search(
            rb"sandbox-secret|SG\.sandbox|sandbox-nexhealth-key|Bearer |dateOfBirth==|date_of_birth=", path.read_bytes()
        ), path.name
