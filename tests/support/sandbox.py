"""Runs the sandbox as a process and controls it over HTTP."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from devstack import ROOT, STARTUP_TIMEOUT, free_port

CONTRACTS = Path(os.environ.get("HOLDFAST_CONTRACTS", ROOT.parent / "shared" / "contracts"))
"""Folder of the vendors' OpenAPI documents, if available."""


class SandboxControl:
    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(base_url=f"{url}/_control/", timeout=30, trust_env=False)

    def state(self) -> dict[str, Any]:
        return dict(self._http.get("state").raise_for_status().json())

    def fault(self, **fault: Any) -> None:
        self._http.post("faults", json=fault).raise_for_status()

    def held(self) -> list[dict[str, Any]]:
        """Calls that a fault is holding up."""
        return list(self._http.get("held").raise_for_status().json()["held"])

    def release(self, method: str = "") -> None:
        """Let the held calls continue, or only those with this HTTP method."""
        for call in self.held():
            if method in ("", call["method"]):
                self._http.post("release", json={"fault_id": call["fault"]}).raise_for_status()

    def settings(self, **switches: Any) -> None:
        self._http.post("settings", json=switches).raise_for_status()

    def desk(self, **action: Any) -> dict[str, Any]:
        return dict(self._http.post("desk", json=action).raise_for_status().json())

    def nexhealth(self, **switches: Any) -> None:
        """Set the behavior that NexHealth's documentation leaves open."""
        self._http.post("nexhealth", json=switches).raise_for_status()

    def office(self, location: int | str, **changes: Any) -> dict[str, Any]:
        """Change an office behind NexHealth: ``online``, sync status, ``system``, ``overlap``, ``flags``."""
        return dict(self._http.post("office", json={"id": int(location), **changes}).raise_for_status().json())

    def clock(self, **changes: Any) -> dict[str, Any]:
        """Control NexHealth's time: ``paused``, ``advance`` by seconds, or ``settle`` everything that waits."""
        return dict(self._http.post("clock", json=changes).raise_for_status().json())

    def office_desk(self, **action: Any) -> dict[str, Any]:
        return self.desk(system="nexhealth", **action)

    def calls(self, system: str) -> int:
        return sum(self.state()["calls"][system].values())

    def reset(self, **options: Any) -> None:
        self._http.post("reset", json=options).raise_for_status()


@contextmanager
def running_sandbox(directory: Path) -> Iterator[SandboxControl]:
    port = free_port(0)
    command = [sys.executable, "-m", "sandbox", "--port", str(port), "--db", str(directory / "sandbox.db")]
    if CONTRACTS.exists():
        command += ["--contracts", str(CONTRACTS)]
    process = subprocess.Popen(command, cwd=ROOT)
    control = SandboxControl(f"http://127.0.0.1:{port}")
    try:
        deadline = time.monotonic() + STARTUP_TIMEOUT
        while not _responds(control):
            assert process.poll() is None, "the sandbox exited before it was ready"
            assert time.monotonic() < deadline, "the sandbox did not start in time"
            time.sleep(0.05)
        yield control
    finally:
        process.terminate()
        process.wait(timeout=30)


def _responds(control: SandboxControl) -> bool:
    try:
        control.state()
    except httpx.HTTPError:
        return False
    return True
