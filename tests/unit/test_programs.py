"""How our programs refuse to start: one sentence on standard error, exit code 2, no traceback."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack import ROOT, sandbox_settings

SERVE_ON_PORT = """
import asyncio, sys
from runtime.http_server import http_app, serve
from runtime.process import run_until_stopped

async def run(settings, stop):
    async with serve(http_app([]), f"127.0.0.1:{sys.argv[1]}", "WEB_ADDRESS"):
        await stop.wait()

run_until_stopped(run)
"""
"""What the worker and the webhook receiver do once they are connected to Temporal."""


@pytest.fixture
def port_in_use() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def refusal(*arguments: str, folder: Path, **variables: str) -> str:
    """Runs Python with these arguments, which must fail with exit code 2. Returns its one line on standard error."""
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "STATE_DIR": str(folder),
        "APP_ENV": "development",
        **variables,
    }
    result = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=20
    )
    assert (result.returncode, result.stdout) == (2, ""), result.stderr
    [line] = result.stderr.splitlines()
    return line


def test_sandbox_names_a_port_in_use(port_in_use: int, tmp_path: Path) -> None:
    assert refusal("-m", "sandbox", "--port", str(port_in_use), folder=tmp_path) == (
        f"sandbox: cannot listen on 127.0.0.1:{port_in_use}: Address already in use; choose another --port"
    )


def test_sandbox_refuses_to_start_in_production(tmp_path: Path) -> None:
    line = refusal("-m", "sandbox", "--port", "1", folder=tmp_path, APP_ENV="production")
    assert line == "sandbox: APP_ENV is production, and the sandbox is for development only; unset it"
    assert list(tmp_path.iterdir()) == []


def test_sandbox_names_a_database_that_it_cannot_use(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("not a database" * 100)
    for name in ("text.db", "missing/sandbox.db"):
        assert f"sandbox: cannot use --db {name}" in refusal(
            "-m", "sandbox", "--port", str(_free_port()), "--db", name, folder=tmp_path
        )


def test_worker_and_receiver_name_a_port_in_use_and_its_setting(port_in_use: int, tmp_path: Path) -> None:
    assert refusal("-c", SERVE_ON_PORT, str(port_in_use), folder=tmp_path) == (
        f"WEB_ADDRESS: cannot listen on 127.0.0.1:{port_in_use}: Address already in use"
    )


def test_worker_names_values_of_the_practice_file_that_do_not_apply_as_written(tmp_path: Path) -> None:
    text, name = (ROOT / "practice.toml").read_text(), 'name = "boston-eaglesoft"'
    (tmp_path / "practice.toml").write_text(text.replace(name, f'landing_max_wait = "1m"\n{name}'))
    unused = "127.0.0.1:1"
    environment = os.environ | sandbox_settings(f"http://{unused}") | {"PYTHONPATH": str(ROOT), "LOG_FORMAT": "json"}
    environment |= {"TEMPORAL_ADDRESS": unused, "STATE_DIR": str(tmp_path), "PRACTICE_FILE": "practice.toml"}
    command = [sys.executable, "-m", "worker"]
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    lines = [json.loads(line) for line in (result.stdout + result.stderr).splitlines() if line.startswith("{")]
    (warning,) = [line for line in lines if line["event"] == "practice_value_limited"]
    assert warning["level"] == "warning"
    assert {name: warning[name] for name in ("connection", "key", "written", "applies")} == {
        "connection": "boston-eaglesoft",
        "key": "landing_max_wait",
        "written": "60s",
        "applies": "300s",
    }


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
