"""One child process of the dev stack: how to start it, how to tell that it is ready, how to stop it."""

import ctypes
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from devstack.paths import ROOT

STARTUP_TIMEOUT = 60.0
"""Seconds."""
STOP_TIMEOUT = 30.0
"""Seconds after SIGTERM until a process is killed."""
PR_SET_PDEATHSIG = 1
"""Of Linux's prctl."""


class StackError(RuntimeError):
    """The stack could not be started. The text says which process failed and where its log is."""


@dataclass
class DevProcess:
    name: str
    command: list[str]
    is_ready: Callable[[], bool]
    before_first_start: Callable[[], None] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables of this process only, added to those of the whole stack."""
    process: subprocess.Popen[bytes] | None = None

    @property
    def has_died(self) -> bool:
        """It was started and has ended since."""
        return self.process is not None and self.process.poll() is not None

    def launch(self, environment: Mapping[str, str], log_directory: Path) -> subprocess.Popen[bytes]:
        """Start it without waiting until it is ready. Its output is appended to ``NAME.log``."""
        with (log_directory / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603
                self.command,
                cwd=ROOT,
                env={**environment, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,
            )
        return self.process

    def stop(self) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()


def is_answering(url: str) -> bool:
    """Whether something answers at this URL without a server error."""
    try:
        return httpx.get(url, timeout=1, trust_env=False).status_code < 500
    except httpx.HTTPError:
        return False


def die_with_parent() -> None:
    """To be run in the child before exec. On Linux the child is killed when its parent dies, however it dies.

    Elsewhere a child of a killed parent must be stopped by hand.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
