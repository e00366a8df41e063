"""The real processes of one seed, as children that may be killed at any time: Temporal, sandbox, web and workers."""

import asyncio
import os
import resource
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from adapters.practice_file import read_practice
from devstack import (
    ROOT,
    die_with_parent,
    free_port,
    sandbox_command,
    sandbox_settings,
    temporal_command,
    web_command,
    worker_command,
)
from tests.faults import ledger_faults
from tests.faults.nexhealth_probe import NexHealthProbe
from tests.faults.practice_probe import PracticeProbe
from tests.support.gate import Gate
from tests.support.postgres import find_postgres_binaries, running_postgres

PAYLOAD_KEYS = "test:aG9sZGZhc3QgdGVzdHMsIG5vdCBhIHNlY3JldCBrZXk="
START_TIMEOUT = 60.0
"""Seconds."""
POLL_INTERVAL = 0.05
RESPAWN_DELAY = 0.5
"""Seconds until a process that exited before it was ready is started again."""
DOWN_SECONDS = 0.7
"""Seconds that a killed process stays down."""
FIRST_PORT = 10_000
"""Each seed has 20 ports of its own from here, below those that the system assigns to outgoing connections."""
MESSAGE_PROVIDERS = {"sendgrid": "SENDGRID_BASE_URL", "twilio": "TWILIO_BASE_URL"}
"""By system: the environment variable with its base URL."""
TEMPORAL = "temporal"
WORKER = tuple(worker_command())


class StackError(RuntimeError):
    """A process did not start."""


@dataclass
class ChildProcess:
    name: str
    command: list[str]
    environment: dict[str, str]
    ready_url: str
    process: asyncio.subprocess.Process | None = None
    gates: dict[str, Gate] = field(default_factory=dict)
    """For a worker: its own connection to each vendor and to Temporal, by system."""

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def suspended(self) -> bool:
        """Stopped, by itself or by a signal."""
        status = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2] if self.alive else ""
        return status.split()[:1] == ["T"]

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.returncode is None


class FaultStack:
    """Restarts processes that die while it is running."""

    def __init__(
        self,
        folder: Path,
        probe: PracticeProbe,
        worker_count: int,
        worker_command: tuple[str, ...] = WORKER,
        *,
        on_postgres: bool = False,
    ) -> None:
        self.folder = folder
        self.probe = probe
        self._worker_command = worker_command
        self._worker_count = worker_count
        self._next_port = FIRST_PORT + os.getpid() % 1000 * 20
        self._ports = {name: self._take_port() for name in ("grpc", "ui", "sandbox", "web")}
        self.sandbox_url = f"http://127.0.0.1:{self._ports['sandbox']}"
        self.http = httpx.AsyncClient(base_url=f"{self.sandbox_url}/_control/", timeout=20, trust_env=False)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("TEMPORAL")},
            **sandbox_settings(self.sandbox_url),
            "APP_ENV": "development",
            "STATE_DIR": str(folder),
            "PAYLOAD_KEYS": PAYLOAD_KEYS,
            "PRACTICE_FILE": str(probe.practice_file),
            "TEMPORAL_ADDRESS": f"127.0.0.1:{self._ports['grpc']}",
            "TEMPORAL_NAMESPACE": "default",
            "ASCEND_CONNECT_TIMEOUT": "1",
            "ASCEND_READ_TIMEOUT": "2",
            "NEXHEALTH_CONNECT_TIMEOUT": "1",
            "NEXHEALTH_READ_TIMEOUT": "2",
            "LINK_KEYS": ledger_faults.LINK_KEYS,
            "LOG_FORMAT": "json",
        }
        self.ledger_url = f"sqlite:///{folder.absolute()}/ledger.db"
        self._on_postgres = on_postgres and find_postgres_binaries() is not None
        self.temporal = self._temporal_process()
        self.sandbox = self._sandbox_process()
        self.web: ChildProcess | None = None
        """Receives webhooks. Only behind NexHealth."""
        self.workers: list[ChildProcess] = []
        self._down_until: dict[str, float] = {}
        self._stopping = False

    def _take_port(self) -> int:
        self._next_port += 1
        return free_port(self._next_port)

    @property
    def allowed_calls_per_second(self) -> float:
        """Calls to the practice system that the practice file allows to all workers together."""
        practice = read_practice(self.probe.practice_file)
        connection = practice.connection(practice.location(self.probe.location.key).connection)
        return connection.requests_per_second * self._worker_count

    @property
    def processes(self) -> list[ChildProcess]:
        return [self.temporal, self.sandbox, *([self.web] if self.web else []), *self.workers]

    @asynccontextmanager
    async def running(self) -> AsyncIterator["FaultStack"]:
        async with AsyncExitStack() as exit_stack:
            if self._on_postgres:
                self.ledger_url = self.environment["LEDGER_URL"] = exit_stack.enter_context(running_postgres())
            await exit_stack.enter_async_context(self._running_processes())
            yield self

    @asynccontextmanager
    async def _running_processes(self) -> AsyncIterator[None]:
        await asyncio.gather(self._start(self.temporal), self._start(self.sandbox))
        if isinstance(self.probe, NexHealthProbe):
            self.web = await self._web_process(self.probe)
        self.workers = [await self._worker_process(number) for number in range(self._worker_count)]
        await self._start(self.workers[0])  # the first one creates the ledger's tables and the keys
        await asyncio.gather(*(self._start(child) for child in self.processes[2:] if child is not self.workers[0]))
        restarting = asyncio.create_task(self._restart_dead_processes())
        try:
            yield
        finally:
            self._stopping = True
            restarting.cancel()
            await self._stop()

    async def control(self, endpoint: str, /, **body: Any) -> dict[str, Any]:
        """Call the sandbox's ``_control`` API: POST with a body, otherwise GET."""
        answer = await self.http.post(endpoint, json=body) if body else await self.http.get(endpoint)
        answer.raise_for_status()
        return dict(answer.json())

    async def clear_faults(self) -> None:
        (await self.http.delete("faults")).raise_for_status()

    def find_caller(self, host: str) -> ChildProcess | None:
        """The worker that made a call, by the address that it called."""
        port = int(host.rpartition(":")[2] or 0)
        return next((worker for worker in self.workers if port in {g.port for g in worker.gates.values()}), None)

    def kill(self, child: ChildProcess, down_seconds: float = DOWN_SECONDS) -> None:
        if child.alive:
            self._down_until[child.name] = asyncio.get_running_loop().time() + down_seconds
            os.kill(child.pid, signal.SIGKILL)

    def signal(self, child: ChildProcess, number: int) -> None:
        if child.alive:
            os.kill(child.pid, number)

    async def wait_until_ready(self) -> None:
        """Wait until every process runs and says that it is ready. Raises StackError."""
        for child in self.processes:
            end = asyncio.get_running_loop().time() + START_TIMEOUT
            while not (child.alive and await self._answers(child.ready_url)):
                if asyncio.get_running_loop().time() > end:
                    raise StackError(f"{child.name} is not ready; see {self.folder / child.name}.log")
                await asyncio.sleep(POLL_INTERVAL)

    @asynccontextmanager
    async def full_disk(self) -> AsyncIterator[None]:
        """No worker can write to any file. A ledger on PostgreSQL becomes read-only instead."""
        if self._on_postgres:
            async with ledger_faults.read_only_postgres(self.ledger_url):
                yield
            return
        for worker in self.workers:
            self._limit_file_size(worker, 0)
        try:
            yield
        finally:
            for worker in self.workers:
                self._limit_file_size(worker, resource.RLIM_INFINITY)

    def _limit_file_size(self, child: ChildProcess, size: int) -> None:
        if child.alive:
            resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def _temporal_process(self) -> ChildProcess:
        grpc, ui = self._ports["grpc"], self._ports["ui"]
        command = temporal_command(self.folder / "temporal.db", grpc, ui, "http://127.0.0.1:1/codec")
        return ChildProcess("temporal", command, self.environment, f"http://127.0.0.1:{ui}")

    def _sandbox_process(self) -> ChildProcess:
        command = sandbox_command(self._ports["sandbox"], self.folder / "sandbox.db")
        return ChildProcess("sandbox", command, self.environment, f"{self.sandbox_url}/_control/held")

    async def _web_process(self, probe: NexHealthProbe) -> ChildProcess:
        """The webhook receiver. NexHealth shows the signing secret only when it subscribes, so subscribe first."""
        address = f"127.0.0.1:{self._ports['web']}"
        self.environment |= {"WEB_ADDRESS": address, "PUBLIC_BASE_URL": f"http://{address}"}
        self.environment["NEXHEALTH_WEBHOOK_SECRET"] = await probe.subscribe(self.sandbox_url, f"http://{address}")
        return ChildProcess("web", web_command(), self.environment, f"http://{address}/live")

    async def _worker_process(self, number: int) -> ChildProcess:
        ops_port = self._take_port()
        environment = {**self.environment, "WORKER_HTTP_ADDRESS": f"127.0.0.1:{ops_port}"}
        ready_url = f"http://127.0.0.1:{ops_port}/ready"
        worker = ChildProcess(f"worker{number}", list(self._worker_command), environment, ready_url)
        for system, setting in {**MESSAGE_PROVIDERS, self.probe.system: self.probe.url_setting}.items():
            gate = await self._open_gate(worker, system, self._ports["sandbox"])
            environment[setting] = f"http://127.0.0.1:{gate.port}"
        gate = await self._open_gate(worker, TEMPORAL, self._ports["grpc"])
        environment["TEMPORAL_ADDRESS"] = f"127.0.0.1:{gate.port}"
        return worker

    async def _open_gate(self, worker: ChildProcess, system: str, port: int) -> Gate:
        gate = worker.gates[system] = Gate(port)
        await gate.open()
        return gate

    async def _start(self, child: ChildProcess) -> None:
        """Start a process and wait until it is ready. If it exits before, start it again. Raises StackError."""
        end = asyncio.get_running_loop().time() + START_TIMEOUT
        await self._spawn(child)
        while not (child.alive and await self._answers(child.ready_url)):
            if asyncio.get_running_loop().time() > end:
                raise StackError(f"{child.name} did not start; see {self.folder / child.name}.log")
            await asyncio.sleep(POLL_INTERVAL)
            if not child.alive and not self._stopping:
                await asyncio.sleep(RESPAWN_DELAY)
                await self._spawn(child)

    async def _spawn(self, child: ChildProcess) -> None:
        with (self.folder / f"{child.name}.log").open("ab") as log:
            child.process = await asyncio.create_subprocess_exec(
                *child.command,
                cwd=ROOT,
                env=child.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,
            )

    async def _restart_dead_processes(self) -> None:
        restarts: dict[str, asyncio.Task[None]] = {}
        while not self._stopping:
            for child in self.processes:
                due = asyncio.get_running_loop().time() >= self._down_until.get(child.name, 0)
                restarting = child.name in restarts and not restarts[child.name].done()
                if not child.alive and due and not restarting:
                    restarts[child.name] = asyncio.create_task(self._start(child))
            await asyncio.sleep(POLL_INTERVAL)

    async def _stop(self) -> None:
        for child in self.processes:
            if child.alive:
                self.signal(child, signal.SIGCONT)
                os.kill(child.pid, signal.SIGKILL)
        for child in self.processes:
            if child.process is not None:
                await child.process.wait()
            for gate in child.gates.values():
                await gate.shut()
        await self.http.aclose()

    async def _answers(self, url: str) -> bool:
        try:
            return (await self.http.get(url, timeout=1)).status_code < 500
        except httpx.HTTPError:
            return False
