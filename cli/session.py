"""What a command works with: settings, the practice file and, if it needs one, a connection to Temporal."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from adapters.practice_file import read_practice
from client import DeskClient
from domain.practice import Practice
from runtime.logs import configure_logging
from runtime.shared_profile import connect_checked
from settings import Settings, load_settings


@dataclass(frozen=True)
class Session:
    settings: Settings
    practice: Practice
    booking_client: DeskClient | None
    """``None`` when the session was opened without Temporal."""

    @property
    def bookings(self) -> DeskClient:
        assert self.booking_client is not None, "the session was opened without a connection to Temporal"
        return self.booking_client


@asynccontextmanager
async def open_session(*, connect: bool = True) -> AsyncIterator[Session]:
    """Raises ConfigurationError, PracticeFileError, LedgerUnavailable, or ConnectionError when Temporal is away."""
    settings = load_settings()
    configure_logging(settings.log_format, "WARNING")
    practice = read_practice(settings.practice_file)
    yield Session(settings, practice, await _connect(settings, practice) if connect else None)


async def _connect(settings: Settings, practice: Practice) -> DeskClient:
    return DeskClient(await connect_checked(settings, practice), practice, settings.booking_task_queue)
