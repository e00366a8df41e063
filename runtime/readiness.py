"""Whether a process can do its work now: it asks Temporal and the ledger again and again, and says when one goes."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from sqlalchemy.engine import make_url
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from adapters.errors import OutsideError
from adapters.ledger import Ledger
from runtime.codec import DecryptionError
from runtime.shared_profile import check_decryption
from settings import DEFAULT_TEMPORAL_ADDRESS, Settings

log = structlog.get_logger("readiness")

PROBE_INTERVAL = 5.0
"""Seconds between two rounds of probes. The load does not depend on how often somebody asks."""
PROBE_TIMEOUT = 3.0
"""Seconds. What has not answered until then counts as away."""
MAX_AGE = 30.0
"""Seconds. A process whose last round is older is stuck, and not ready."""


@dataclass
class Dependency:
    """Something without which the process cannot work."""

    name: str
    host: str
    probe: Callable[[], Awaitable[None]]
    """Raises when it is away."""
    cause: str = ""
    """Why it is away; empty while it is there."""
    lost_at: float = 0.0
    """By the monotonic clock."""
    running: asyncio.Task[None] | None = field(default=None, repr=False)
    """The probe that has not ended yet. Another one is not started beside it, so that they do not pile up."""

    async def update(self) -> None:
        """Probe once, and log if it has gone or come back."""
        cause = await self._find_cause()
        if cause and not self.cause:
            self.lost_at = time.monotonic()
            log.warning("dependency_lost", dependency=self.name, host=self.host, cause=cause)
        elif self.cause and not cause:
            seconds = round(time.monotonic() - self.lost_at)
            log.warning("dependency_back", dependency=self.name, host=self.host, seconds=seconds)
        self.cause = cause

    async def _find_cause(self) -> str:
        if self.running is None:
            self.running = asyncio.ensure_future(self.probe())
        done, _ = await asyncio.wait([self.running], timeout=PROBE_TIMEOUT)
        if not done:
            return f"no answer within {PROBE_TIMEOUT:g} s"
        error, self.running = self.running.exception(), None
        return _describe(error) if error is not None else ""


class Readiness:
    def __init__(self, dependencies: Sequence[Dependency]) -> None:
        self._dependencies = dependencies
        self._updated_at = float("-inf")
        """By the monotonic clock."""

    @property
    def away(self) -> list[str]:
        """Names of what is away."""
        return [dependency.name for dependency in self._dependencies if dependency.cause]

    @property
    def is_ready(self) -> bool:
        return not self.away and time.monotonic() - self._updated_at < MAX_AGE

    async def update(self) -> None:
        await asyncio.gather(*(dependency.update() for dependency in self._dependencies))
        self._updated_at = time.monotonic()


@asynccontextmanager
async def watching(settings: Settings, temporal: Client, ledger: Ledger) -> AsyncIterator[Readiness]:
    """Readiness that stays up to date. The first round has ended when this begins."""
    readiness = Readiness(
        [
            Dependency("temporal", _temporal_host(settings), lambda: _probe_temporal(temporal)),
            Dependency("ledger", _ledger_host(settings), ledger.probe),
            Dependency("payload keys", _ledger_host(settings), lambda: check_decryption(settings, ledger)),
        ]
    )
    await readiness.update()
    task = asyncio.create_task(_keep_up_to_date(readiness))
    try:
        yield readiness
    finally:
        task.cancel()


async def _keep_up_to_date(readiness: Readiness) -> None:
    while True:
        await asyncio.sleep(PROBE_INTERVAL)
        await readiness.update()


async def _probe_temporal(temporal: Client) -> None:
    """Temporal reads the namespace from its database to answer this."""
    request = DescribeNamespaceRequest(namespace=temporal.namespace)
    await temporal.workflow_service.describe_namespace(request, timeout=timedelta(seconds=PROBE_TIMEOUT))


def _temporal_host(settings: Settings) -> str:
    return settings.temporal_config.get("target_host", DEFAULT_TEMPORAL_ADDRESS)


def _ledger_host(settings: Settings) -> str:
    """PostgreSQL's host and port, or SQLite's file."""
    url = make_url(settings.effective_ledger_url)
    if url.drivername == "sqlite":
        return url.database or ""
    return f"{url.host or url.query.get('host', 'localhost')}:{url.port or 5432}"


def _describe(error: BaseException) -> str:
    """Without the texts of unforeseen errors, which may have anything in them."""
    if isinstance(error, RPCError):
        return error.status.name
    return str(error) if isinstance(error, OutsideError | DecryptionError) else type(error).__name__
