"""The real parts of one seed, as child processes that may be killed at any time: server, sandbox, workers."""

import asyncio
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from adapters.practice_file import read_practice
from demo.stack import ROOT, die_with_parent, free_port, sandbox_settings, temporal_command
from tests.faults import ledger
from tests.faults.nexhealth import NexHealth
from tests.faults.practice import Practice
from tests.support.gate import Gate
from tests.support.postgres import find_postgres_binaries, running_postgres

KEY = "test:aG9sZGZhc3QgdGVzdHMsIG5vdCBhIHNlY3JldCBrZXk="
STARTS_WITHIN = 60.0
OWN_PORTS = 10_000
"""Each process has a row of ports of its own from here on, below those that the system hands out to anybody."""
REVIVED_AFTER = 0.7
MESSENGERS = {"sendgrid": "SENDGRID_BASE_URL", "twilio": "TWILIO_BASE_URL"}
TEMPORAL = "temporal"
WORKER = (sys.executable, "worker.py")


class StackError(RuntimeError):
    """A part did not come up."""


@dataclass
class Part:
    name: str
    command: list[str]
    environment: dict[str, str]
    ready_at: str
    process: asyncio.subprocess.Process | None = None
    gates: dict[str, Gate] = field(default_factory=dict)
    """A worker's own way to each vendor, and to Temporal."""

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def asleep(self) -> bool:
        """Stopped, by itself or by a signal."""
        status = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2] if self.alive else ""
        return status.split()[:1] == ["T"]

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.returncode is None


class FaultStack:
    """Parts that die are started again, while the stack is up."""

    def __init__(
        self,
        folder: Path,
        practice: Practice,
        workers: int,
        worker: tuple[str, ...] = WORKER,
        *,
        postgres: bool = False,
    ) -> None:
        self.folder = folder
        self.practice = practice
        self._worker = worker
        self._next_port = OWN_PORTS + os.getpid() % 1000 * 20
        self._ports = {name: self._port() for name in ("grpc", "ui", "sandbox", "web")}
        self.sandbox_url = f"http://127.0.0.1:{self._ports['sandbox']}"
        self.http = httpx.AsyncClient(base_url=f"{self.sandbox_url}/_control/", timeout=20, trust_env=False)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("TEMPORAL")},
            **sandbox_settings(self.sandbox_url),
            "APP_ENV": "development",
            "STATE_DIR": str(folder),
            "PAYLOAD_KEYS": KEY,
            "PRACTICE_FILE": str(practice.rules),
            "TEMPORAL_ADDRESS": f"127.0.0.1:{self._ports['grpc']}",
            "TEMPORAL_NAMESPACE": "default",
            "ASCEND_CONNECT_TIMEOUT": "1",
            "ASCEND_READ_TIMEOUT": "2",
            "NEXHEALTH_CONNECT_TIMEOUT": "1",
            "NEXHEALTH_READ_TIMEOUT": "2",
            "LINK_KEYS": ledger.LINK_KEYS,
            "LOG_FORMAT": "json",
        }
        self.ledger_url = f"sqlite:///{folder.absolute()}/ledger.db"
        self._on_postgres = postgres and find_postgres_binaries() is not None
        self.temporal = self._temporal()
        self.sandbox = self._sandbox()
        self.web: Part | None = None
        """Receives what the practice system's partner tells by itself."""
        self.workers: list[Part] = []
        self._worker_count = workers
        self._down_until: dict[str, float] = {}
        self._ending = False

    def _port(self) -> int:
        self._next_port += 1
        return free_port(self._next_port)

    @property
    def calls_a_second(self) -> float:
        """To the practice system, as the practice file allows it to each of the workers."""
        found = read_practice(self.practice.rules)
        connection = found.connection(found.location(self.practice.place.location).connection)
        return connection.requests_per_second * self._worker_count

    @property
    def parts(self) -> list[Part]:
        return [self.temporal, self.sandbox, *([self.web] if self.web else []), *self.workers]

    @asynccontextmanager
    async def running(self) -> AsyncIterator["FaultStack"]:
        async with AsyncExitStack() as around:
            if self._on_postgres:
                self.ledger_url = self.environment["LEDGER_URL"] = around.enter_context(running_postgres())
            await around.enter_async_context(self._parts_up())
            yield self

    @asynccontextmanager
    async def _parts_up(self) -> AsyncIterator[None]:
        await asyncio.gather(self._start(self.temporal), self._start(self.sandbox))
        if isinstance(self.practice, NexHealth):
            self.web = await self._planned_web(self.practice)
        self.workers = [await self._planned_worker(number) for number in range(self._worker_count)]
        await self._start(self.workers[0])  # the first one makes the ledger's tables and the keys
        await asyncio.gather(*(self._start(part) for part in self.parts[2:] if part is not self.workers[0]))
        watching = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            self._ending = True
            watching.cancel()
            await self._end()

    async def control(self, what: str, **given: Any) -> dict[str, Any]:
        answer = await self.http.post(what, json=given) if given else await self.http.get(what)
        answer.raise_for_status()
        return dict(answer.json())

    async def clear_faults(self) -> None:
        (await self.http.delete("faults")).raise_for_status()

    def worker_at(self, host: str) -> Part | None:
        """The worker that made a call, by the address it was given."""
        port = int(host.rpartition(":")[2] or 0)
        return next((part for part in self.workers if port in {gate.port for gate in part.gates.values()}), None)

    def kill(self, part: Part, down_for: float = REVIVED_AFTER) -> None:
        if part.alive:
            self._down_until[part.name] = asyncio.get_running_loop().time() + down_for
            os.kill(part.pid, signal.SIGKILL)

    def signal(self, part: Part, number: int) -> None:
        if part.alive:
            os.kill(part.pid, number)

    async def all_up(self) -> None:
        """Wait until every part runs and says so."""
        for part in self.parts:
            end = asyncio.get_running_loop().time() + STARTS_WITHIN
            while not (part.alive and await self._answers(part.ready_at)):
                if asyncio.get_running_loop().time() > end:
                    raise StackError(f"{part.name} is not up; see {self.folder / part.name}.log")
                await asyncio.sleep(0.1)

    @asynccontextmanager
    async def full_disk(self) -> AsyncIterator[None]:
        """No worker can add to any file, nor to a ledger that is no file."""
        if self._on_postgres:
            async with ledger.read_only(self.ledger_url):
                yield
            return
        for part in self.workers:
            self._limit_files(part, 0)
        try:
            yield
        finally:
            for part in self.workers:
                self._limit_files(part, resource.RLIM_INFINITY)

    def _limit_files(self, part: Part, size: int) -> None:
        if part.alive:
            resource.prlimit(part.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def _temporal(self) -> Part:
        grpc, ui = self._ports["grpc"], self._ports["ui"]
        command = temporal_command(self.folder / "temporal.db", grpc, ui, "http://127.0.0.1:1/codec")
        return Part("temporal", command, self.environment, f"http://127.0.0.1:{ui}")

    def _sandbox(self) -> Part:
        command = [sys.executable, "-m", "sandbox", "--port", str(self._ports["sandbox"])]
        command += ["--db", str(self.folder / "sandbox.db")]
        return Part("sandbox", command, self.environment, f"{self.sandbox_url}/_control/held")

    async def _planned_web(self, practice: NexHealth) -> Part:
        """Told of landings and changes from the start on, under a secret that is shown only once."""
        address = f"127.0.0.1:{self._ports['web']}"
        self.environment |= {"WEB_ADDRESS": address, "PUBLIC_BASE_URL": f"http://{address}"}
        self.environment["NEXHEALTH_WEBHOOK_SECRET"] = await practice.subscribe(self.sandbox_url, f"http://{address}")
        return Part("web", [sys.executable, "-m", "web"], self.environment, f"http://{address}/live")

    async def _planned_worker(self, number: int) -> Part:
        ops = self._port()
        environment = {**self.environment, "WORKER_HTTP_ADDRESS": f"127.0.0.1:{ops}"}
        part = Part(f"worker{number}", list(self._worker), environment, f"http://127.0.0.1:{ops}/ready")
        for vendor, setting in {**MESSENGERS, self.practice.vendor: self.practice.setting}.items():
            gate = part.gates[vendor] = Gate(self._ports["sandbox"])
            await gate.open()
            environment[setting] = f"http://127.0.0.1:{gate.port}"
        gate = part.gates[TEMPORAL] = Gate(self._ports["grpc"])
        await gate.open()
        environment["TEMPORAL_ADDRESS"] = f"127.0.0.1:{gate.port}"
        return part

    async def _start(self, part: Part) -> None:
        """Started, again where it gives up at once, until it says that it is ready."""
        end = asyncio.get_running_loop().time() + STARTS_WITHIN
        await self._spawn(part)
        while not (part.alive and await self._answers(part.ready_at)):
            if asyncio.get_running_loop().time() > end:
                raise StackError(f"{part.name} did not come up; see {self.folder / part.name}.log")
            await asyncio.sleep(0.05)
            if not part.alive and not self._ending:
                await asyncio.sleep(0.5)
                await self._spawn(part)

    async def _spawn(self, part: Part) -> None:
        with (self.folder / f"{part.name}.log").open("ab") as log:
            part.process = await asyncio.create_subprocess_exec(
                *part.command,
                cwd=ROOT,
                env=part.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,
            )

    async def _watch(self) -> None:
        reviving: dict[str, asyncio.Task[None]] = {}
        while not self._ending:
            for part in self.parts:
                due = asyncio.get_running_loop().time() >= self._down_until.get(part.name, 0)
                busy = part.name in reviving and not reviving[part.name].done()
                if not part.alive and due and not busy:
                    reviving[part.name] = asyncio.create_task(self._start(part))
            await asyncio.sleep(0.05)

    async def _end(self) -> None:
        for part in self.parts:
            if part.alive:
                self.signal(part, signal.SIGCONT)
                os.kill(part.pid, signal.SIGKILL)
        for part in self.parts:
            if part.process is not None:
                await part.process.wait()
            for gate in part.gates.values():
                await gate.shut()
        await self.http.aclose()

    async def _answers(self, url: str) -> bool:
        try:
            return (await self.http.get(url, timeout=1)).status_code < 500
        except httpx.HTTPError:
            return False
