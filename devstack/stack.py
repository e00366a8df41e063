"""The dev stack as a whole: start every process in order, restart one that dies, stop all of them."""

import json
import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from devstack.lock import lock_directory
from devstack.paths import ROOT
from devstack.ports import free_port
from devstack.processes import STARTUP_TIMEOUT, DevProcess, StackError, die_with_parent, is_answering
from devstack.programs import sandbox_command, temporal_command, web_command, worker_process
from devstack.sandbox_settings import sandbox_settings

TEMPORAL_PORT, TEMPORAL_UI_PORT, SANDBOX_PORT, WORKER_PORT, WEB_PORT = 7233, 8233, 8090, 8081, 8000
"""Another port is taken when one of these is not free."""
WATCH_INTERVAL = 0.5
"""Seconds between two looks whether a process has died."""
SUBSCRIBED_CONNECTION = "portland-dentrix"
"""Any connection through NexHealth will do: one subscription serves all locations of the account."""
COMMAND_LINE_VARIABLES = (
    "PRACTICE_FILE",
    "STATE_DIR",
    "TEMPORAL_ADDRESS",
    "TEMPORAL_NAMESPACE",
    "PUBLIC_BASE_URL",
    "NEXHEALTH_WEBHOOK_SECRET",
)


@dataclass
class DevStack:
    """A context manager. All processes end with this process, however it ends."""

    state_dir: Path
    announce: Callable[[str], None]
    """Prints one line about the progress."""
    any_ports: bool = False
    """Take random free ports, so that several stacks can run at once, instead of the well-known ones."""
    with_webhooks: bool = True
    """Also run the webhook receiver. Only practices on NexHealth need it."""
    environment: dict[str, str] = field(default_factory=dict)
    processes: list[DevProcess] = field(default_factory=list)
    _lock: IO[str] | None = None
    _is_stopping: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self.lock_state_dir()
        self._configure()
        try:
            for process in self.processes:
                self._start(process)
        except BaseException:
            self._stop()
            raise
        threading.Thread(target=self._restart_dead_processes, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def lock_state_dir(self) -> None:
        """Keep other stacks off this state directory until this one stops. Raises StackError."""
        if self._lock is None:
            self._lock = lock_directory(self.state_dir)

    @property
    def sandbox_url(self) -> str:
        return self.environment["ASCEND_BASE_URL"]

    @property
    def temporal_ui_url(self) -> str:
        return self.environment["CODEC_ORIGIN"]

    def add(self, process: DevProcess) -> DevProcess:
        """Start one more process. Returns when it is ready."""
        self._start(process)
        self.processes.append(process)
        return process

    def remove(self, process: DevProcess) -> None:
        self.processes.remove(process)
        process.stop()

    def write_environment_file(self, path: Path) -> None:
        """Write a shell script with the variables that ``starter.py`` needs to talk to this stack.

        Only this user can read it, because it contains the webhooks' secret.
        """
        names = [*sandbox_settings(self.sandbox_url)]
        names += [name for name in COMMAND_LINE_VARIABLES if name in self.environment]
        path.touch()
        path.chmod(0o600)
        path.write_text("".join(f"export {name}={shlex.quote(self.environment[name])}\n" for name in names))

    def _configure(self) -> None:
        """Choose the ports, then set ``environment`` and ``processes``. Also changes this process's environment."""
        defaults = (TEMPORAL_PORT, TEMPORAL_UI_PORT, SANDBOX_PORT, WORKER_PORT, WEB_PORT)
        grpc, ui, sandbox, worker, web = (free_port(0 if self.any_ports else port) for port in defaults)
        sandbox_url = f"http://127.0.0.1:{sandbox}"
        # Without bytecode files the workflow sandbox would compile the workflow again for every booking.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        self.environment = {
            **os.environ,
            "PYTHONPYCACHEPREFIX": str(self.state_dir / "pycache"),
            **sandbox_settings(sandbox_url),
            "APP_ENV": "development",
            "STATE_DIR": str(self.state_dir),
            "PRACTICE_FILE": str(ROOT / os.environ.get("PRACTICE_FILE", "practice.toml")),
            "TEMPORAL_ADDRESS": f"127.0.0.1:{grpc}",
            "TEMPORAL_NAMESPACE": "default",
            "WORKER_HTTP_ADDRESS": f"127.0.0.1:{worker}",
            "CODEC_ORIGIN": f"http://127.0.0.1:{ui}",
            "PUBLIC_BASE_URL": f"http://127.0.0.1:{web}",
            "WEB_ADDRESS": f"127.0.0.1:{web}",
        }
        os.environ.update(self.environment)
        self.processes = [
            DevProcess(
                "temporal",
                temporal_command(self.state_dir / "temporal.db", grpc, ui, f"http://127.0.0.1:{worker}/codec"),
                lambda: is_answering(f"http://127.0.0.1:{ui}"),
            ),
            DevProcess(
                "sandbox",
                sandbox_command(sandbox, self.state_dir / "sandbox.db"),
                lambda: is_answering(f"{sandbox_url}/_control/state"),
            ),
        ]
        # The worker first: it makes the keys, and publishes what the others compare with.
        self.processes.append(worker_process("worker", worker))
        if self.with_webhooks:
            self.processes.append(
                DevProcess(
                    "web",
                    web_command(),
                    lambda: is_answering(f"http://127.0.0.1:{web}/live"),
                    before_first_start=self._subscribe_to_webhooks,
                )
            )

    def _subscribe_to_webhooks(self) -> None:
        """Have the sandbox's NexHealth send webhooks to this run's address, and keep the secret that signs them."""
        command = [sys.executable, "starter.py", "subscribe", SUBSCRIBED_CONNECTION, "--json"]
        result = subprocess.run(  # noqa: S603
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, preexec_fn=die_with_parent
        )
        if result.returncode != 0:
            raise StackError(f"cannot subscribe to NexHealth's webhooks: {result.stderr or result.stdout}")
        self.environment["NEXHEALTH_WEBHOOK_SECRET"] = json.loads(result.stdout.splitlines()[-1])["secret"]

    def _start(self, process: DevProcess) -> None:
        """Returns when the process is ready. Raises StackError."""
        if process.before_first_start is not None and process.process is None:
            process.before_first_start()
        deadline = time.monotonic() + STARTUP_TIMEOUT
        child = process.launch(self.environment, self.state_dir)
        while not process.is_ready():
            was_killed = child.poll() is not None and child.returncode < 0
            if was_killed and time.monotonic() < deadline:
                child = process.launch(self.environment, self.state_dir)
            elif child.poll() is not None or time.monotonic() > deadline:
                raise StackError(f"{process.name} did not start; see {self.state_dir / process.name}.log")
            time.sleep(0.1)
        self.announce(f"{process.name} is up")

    def _restart_dead_processes(self) -> None:
        while not self._is_stopping.wait(WATCH_INTERVAL):
            for process in list(self.processes):
                if process.has_died and process in self.processes and not self._is_stopping.is_set():
                    self.announce(f"[yellow]{process.name} died; restarting it[/]")
                    self._start(process)

    def _stop(self) -> None:
        self._is_stopping.set()
        for process in reversed(self.processes):
            process.stop()
        if self._lock is not None:
            self._lock.close()
            self._lock = None
