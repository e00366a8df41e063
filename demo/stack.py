"""The embedded default: Temporal's dev server, the sandbox and the worker as child processes, kept running."""

import ctypes
import fcntl
import json
import os
import random
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import httpx

ROOT = Path(__file__).resolve().parent.parent
STARTS_WITHIN = 60.0
DYNAMIC_CONFIG = {
    "matching.enableFairness": "true",
    "matching.numTaskqueueReadPartitions": "1",
    "matching.numTaskqueueWritePartitions": "1",
    "history.transferProcessorMaxPollRPS": "2000",
}
"""A task queue has one partition: tasks take turns within a partition only, and one process has no use for more."""
_RESERVED: list[IO[str]] = []
"""Locks on the ports this process has given out."""


class StackError(RuntimeError):
    """A part could not be brought up; the text says which, and where its log is."""


@dataclass
class Part:
    name: str
    command: list[str]
    ready: Callable[[], bool]
    before: Callable[[], None] | None = None
    """What must be done before it starts for the first time."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """What this part is told beside what all are told."""
    process: subprocess.Popen[bytes] | None = None


@dataclass
class Stack:
    """Everything a morning needs. A part that dies is started again; all end with this process."""

    state_dir: Path
    say: Callable[[str], None]
    ports: tuple[int, int, int, int, int] = (7233, 8233, 8090, 8081, 8000)
    """Temporal, its UI, the sandbox, the worker's own endpoint, the web; another where one is taken, any for 0."""
    with_web: bool = True
    """Whether vendors' deliveries are taken in; only practices on NexHealth need that."""
    environment: dict[str, str] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)
    _lock: IO[str] | None = None
    _ending: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self.claim()
        self._plan()
        try:
            for part in self.parts:
                self._start(part)
            self._tell_command_line()
        except BaseException:
            self._end()
            raise
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def claim(self) -> None:
        """Nobody else works on the same state from now on. Raises StackError."""
        if self._lock is not None:
            return
        self.state_dir.mkdir(parents=True, exist_ok=True)
        lock = (self.state_dir / "demo.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackError(f"a demo is already running on {self.state_dir}; end it first") from None
        self._lock = lock

    @property
    def sandbox_url(self) -> str:
        return self.environment["ASCEND_BASE_URL"]

    @property
    def temporal_ui(self) -> str:
        return self.environment["CODEC_ORIGIN"]

    def add(self, part: Part) -> Part:
        """One more part, up when this returns."""
        self._start(part)
        self.parts.append(part)
        return part

    def remove(self, part: Part) -> None:
        self.parts.remove(part)
        _end(part)

    def _plan(self) -> None:
        grpc, ui, sandbox, ops, web = (free_port(port) for port in self.ports)
        sandbox_url = f"http://127.0.0.1:{sandbox}"
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # or every booking would compile the workflow anew
        self.environment = {
            **os.environ,
            "PYTHONPYCACHEPREFIX": str(self.state_dir / "pycache"),
            **sandbox_settings(sandbox_url),
            "APP_ENV": "development",
            "STATE_DIR": str(self.state_dir),
            "PRACTICE_FILE": str(ROOT / os.environ.get("PRACTICE_FILE", "practice.toml")),
            "TEMPORAL_ADDRESS": f"127.0.0.1:{grpc}",
            "TEMPORAL_NAMESPACE": "default",
            "WORKER_HTTP_ADDRESS": f"127.0.0.1:{ops}",
            "CODEC_ORIGIN": f"http://127.0.0.1:{ui}",
            "PUBLIC_BASE_URL": f"http://127.0.0.1:{web}",
            "WEB_ADDRESS": f"127.0.0.1:{web}",
        }
        os.environ.update(self.environment)
        self.parts = [
            Part(
                "temporal",
                temporal_command(self.state_dir / "temporal.db", grpc, ui, f"http://127.0.0.1:{ops}/codec"),
                lambda: _answers(f"http://127.0.0.1:{ui}"),
            ),
            Part(
                "sandbox",
                [sys.executable, "-m", "sandbox", "--port", str(sandbox), "--db", str(self.state_dir / "sandbox.db")],
                lambda: _answers(f"{sandbox_url}/_control/state"),
            ),
            Part(
                "web", [sys.executable, "-m", "web"], lambda: _answers(f"http://127.0.0.1:{web}/live"), self._subscribe
            ),
            worker("worker", ops),
        ]
        self.parts = [part for part in self.parts if self.with_web or part.name != "web"]

    def _subscribe(self) -> None:
        """Have NexHealth's side tell us of landings, at the address of this run."""
        command = [sys.executable, "starter.py", "subscribe", "portland-dentrix", "--json"]
        done = subprocess.run(  # noqa: S603
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, preexec_fn=die_with_parent
        )
        if done.returncode != 0:
            raise StackError(f"NexHealth's side could not be subscribed to: {done.stderr or done.stdout}")
        self.environment["NEXHEALTH_WEBHOOK_SECRET"] = json.loads(done.stdout.splitlines()[-1])["secret"]

    def _tell_command_line(self) -> None:
        """What a command line needs beside this demo, for this user alone: the webhooks' secret is among it."""
        names = [
            "PRACTICE_FILE",
            "STATE_DIR",
            "TEMPORAL_ADDRESS",
            "TEMPORAL_NAMESPACE",
            "PUBLIC_BASE_URL",
            "NEXHEALTH_WEBHOOK_SECRET",
        ]
        names = [*sandbox_settings(self.sandbox_url), *(name for name in names if name in self.environment)]
        file = self.state_dir / "demo.env"
        file.touch()
        file.chmod(0o600)
        file.write_text("".join(f"export {name}={shlex.quote(self.environment[name])}\n" for name in names))

    def _start(self, part: Part) -> None:
        if part.before is not None and part.process is None:
            part.before()
        end = time.monotonic() + STARTS_WITHIN
        process = self._launch(part)
        while not part.ready():
            if process.poll() is not None and process.returncode < 0 and time.monotonic() < end:
                process = self._launch(part)  # somebody killed it before it was up
            elif process.poll() is not None or time.monotonic() > end:
                raise StackError(f"{part.name} did not come up; see {self.state_dir / part.name}.log")
            time.sleep(0.1)
        self.say(f"{part.name} is up")

    def _launch(self, part: Part) -> subprocess.Popen[bytes]:
        log = (self.state_dir / f"{part.name}.log").open("ab")
        part.process = subprocess.Popen(  # noqa: S603
            part.command,
            cwd=ROOT,
            env={**self.environment, **part.environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=die_with_parent,
        )
        return part.process

    def _watch(self) -> None:
        while not self._ending.wait(0.5):
            for part in list(self.parts):
                died = part.process is not None and part.process.poll() is not None
                if died and part in self.parts and not self._ending.is_set():
                    self.say(f"[yellow]{part.name} died; starting it again[/]")
                    self._start(part)

    def _end(self) -> None:
        self._ending.set()
        for part in reversed(self.parts):
            _end(part)
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def worker(name: str, ops: int) -> Part:
    """A worker process whose own endpoint is at port ``ops``."""
    address = f"127.0.0.1:{ops}"
    command, ready = [sys.executable, "worker.py"], lambda: _answers(f"http://{address}/ready")
    return Part(name, command, ready, environment={"WORKER_HTTP_ADDRESS": address})


def temporal_command(database: Path, grpc: int, ui: int, codec: str) -> list[str]:
    """Temporal's dev server on a file that survives ``kill -9``, with our search attributes and fairness on."""
    attributes = {
        "BookingStatus": "Keyword",
        "BookingLocation": "Keyword",
        "BookingService": "Keyword",
        "ExceptionReason": "Keyword",
        "AppointmentStart": "Datetime",
    }
    command = [str(Path(sys.executable).parent / "temporal"), "server", "start-dev", "--log-level", "warn"]
    command += ["--ip", "127.0.0.1", "--port", str(grpc), "--ui-port", str(ui), "--ui-codec-endpoint", codec]
    command += ["--db-filename", str(database)]
    command += ["--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=NORMAL"]
    for key, value in DYNAMIC_CONFIG.items():
        command += ["--dynamic-config-value", f"{key}={value}"]
    for name, kind in attributes.items():
        command += ["--search-attribute", f"{name}={kind}"]
    return command


def sandbox_settings(url: str) -> Mapping[str, str]:
    return {
        "ASCEND_BASE_URL": url,
        "ASCEND_CLIENT_ID": "sandbox-client",
        "ASCEND_CLIENT_SECRET": "sandbox-secret",
        "ASCEND_ORGANIZATION_ID": "5f0000000000000000000001",
        "ASCEND_READ_TIMEOUT": "4",
        "NEXHEALTH_BASE_URL": url,
        "NEXHEALTH_API_KEY": "sandbox-nexhealth-key",
        "NEXHEALTH_SUBDOMAIN": "bright-harbor",
        "NEXHEALTH_READ_TIMEOUT": "4",
        "SENDGRID_BASE_URL": url,
        "SENDGRID_API_KEY": "SG.sandbox",
        "SENDGRID_FROM": "bookings@practice.example",
        "TWILIO_BASE_URL": url,
        "TWILIO_ACCOUNT_SID": "AC" + "1".rjust(32, "0"),
        "TWILIO_API_KEY_SID": "SK" + "1".rjust(32, "0"),
        "TWILIO_API_KEY_SECRET": "sandbox-twilio",
        "TWILIO_MESSAGING_SERVICE_SID": "MG" + "1".rjust(32, "0"),
    }


def free_port(wanted: int) -> int:
    """``wanted`` where nobody has it, else another; no second stack on this machine gets it while this process lives.

    Others come from below the range that the system gives to outgoing calls, which could take it before we listen.
    """
    for port in (wanted, *random.sample(range(20_000, 32_000), 200)):
        if port and _reserve(port):
            return port
    raise StackError("no free port was found")


def _reserve(port: int) -> bool:
    lock = (Path(tempfile.gettempdir()) / f"holdfast-port-{port}").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
    except OSError:
        lock.close()
        return False
    _RESERVED.append(lock)
    return True


def new_seed() -> str:
    return secrets.token_hex(8)


def _end(part: Part) -> None:
    if part.process is None or part.process.poll() is not None:
        return
    part.process.send_signal(signal.SIGTERM)
    try:
        part.process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        part.process.kill()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=1, trust_env=False).status_code < 500
    except httpx.HTTPError:
        return False


def die_with_parent() -> None:
    """On Linux a child ends when this process is killed; elsewhere it must be ended by hand."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
