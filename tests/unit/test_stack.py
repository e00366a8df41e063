"""The demo's parts, without starting them."""

import os
import subprocess
from pathlib import Path

import pytest

from demo.stack import ROOT, Part, Stack


def test_the_command_line_beside_a_demo_knows_its_practice_file_and_the_webhooks_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def start(_: Stack, part: Part) -> None:
        if part.before is not None:
            part.before()

    subscribed = subprocess.CompletedProcess([], 0, '{"secret": "hush hush"}\n', "")
    monkeypatch.setattr(os, "environ", {name: value for name, value in os.environ.items() if name != "PRACTICE_FILE"})
    monkeypatch.setattr(Stack, "_start", start)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subscribed)
    file = tmp_path / "demo.env"
    file.touch(mode=0o644)
    with Stack(tmp_path, print, ports=(0, 0, 0, 0, 0)):
        assert "export NEXHEALTH_WEBHOOK_SECRET='hush hush'\n" in file.read_text()
        assert f"export PRACTICE_FILE={ROOT}/practice.toml\n" in file.read_text()
        assert "export ASCEND_CLIENT_ID=sandbox-client\n" in file.read_text()
        assert file.stat().st_mode & 0o777 == 0o600
