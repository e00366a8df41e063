"""The dev stack's parts, without starting any process."""

import os
import subprocess
from pathlib import Path

import pytest

from devstack import ROOT, DevProcess, DevStack, StackError


def test_environment_file_has_the_practice_file_and_the_webhook_secret_and_is_private(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def run_first_step_only(_: DevStack, process: DevProcess) -> None:
        if process.before_first_start is not None:
            process.before_first_start()

    subscription = subprocess.CompletedProcess([], 0, '{"secret": "hush hush"}\n', "")
    monkeypatch.setattr(os, "environ", {name: value for name, value in os.environ.items() if name != "PRACTICE_FILE"})
    monkeypatch.setattr(DevStack, "_start", run_first_step_only)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subscription)
    file = tmp_path / "demo.env"
    file.touch(mode=0o644)
    with DevStack(tmp_path, print, any_ports=True) as stack:
        stack.write_environment_file(file)
        assert "export NEXHEALTH_WEBHOOK_SECRET='hush hush'\n" in file.read_text()
        assert f"export PRACTICE_FILE={ROOT}/practice.toml\n" in file.read_text()
        assert "export ASCEND_CLIENT_ID=sandbox-client\n" in file.read_text()
        assert file.stat().st_mode & 0o777 == 0o600


def test_second_stack_on_the_same_state_directory_is_refused_before_it_changes_anything(tmp_path: Path) -> None:
    first, second = (DevStack(tmp_path, print) for _ in range(2))
    first.lock_state_dir()
    with pytest.raises(StackError, match="already running"):
        second.lock_state_dir()
    first._stop()
    second.lock_state_dir()
    second._stop()
