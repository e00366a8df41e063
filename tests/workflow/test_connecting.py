"""What every process of ours is told, and holds to, when it connects to Temporal."""

import subprocess
import sys

import pytest

from demo.stack import ROOT, Stack, free_port


@pytest.mark.parametrize(
    "command", [["starter.py", "check", "--json"], ["starter.py", "list", "--json"], ["worker.py"], ["-m", "web"]]
)
def test_a_namespace_that_is_not_there_is_named_with_its_setting(stack: Stack, command: list[str]) -> None:
    addresses = {name: f"127.0.0.1:{free_port(0)}" for name in ("WORKER_HTTP_ADDRESS", "WEB_ADDRESS")}
    environment = {**stack.environment, **addresses, "TEMPORAL_NAMESPACE": "nowhere"}
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )
    assert "Temporal has no namespace nowhere; set TEMPORAL_NAMESPACE" in done.stdout + done.stderr
    assert done.returncode == 1
