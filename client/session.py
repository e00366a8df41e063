"""What a web backend or a command works with: settings, the practice file and, if it needs one, Temporal."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from temporalio.client import Client

from adapters.practice_file import read_practice
from client.bookings import DeskClient
from client.public import BookingClient
from domain.practice import Practice
from runtime.logs import log_through_host
from runtime.shared_profile import connect_checked
from settings import Settings, load_settings


@dataclass(frozen=True)
class Session:
    settings: Settings
    practice: Practice
    temporal: Client | None
    """``None`` when the session was opened without Temporal."""

    @property
    def bookings(self) -> BookingClient:
        """For what patients see."""
        return BookingClient(self._connected, self.practice, self.settings.booking_task_queue)

    @property
    def desk(self) -> DeskClient:
        """For the practice's staff."""
        return DeskClient(self._connected, self.practice, self.settings.booking_task_queue)

    @property
    def _connected(self) -> Client:
        assert self.temporal is not None, "the session was opened without a connection to Temporal"
        return self.temporal


@asynccontextmanager
async def open_session(settings: Settings | None = None, *, connect: bool = True) -> AsyncIterator[Session]:
    """``settings``: those of the environment if left out.

    Logging stays as the caller has set it up, and gets our lines from the loggers that are named like our parts.
    Raises ConfigurationError, PracticeFileError, LedgerUnavailable, or ConnectionError when Temporal is away.
    """
    log_through_host()
    settings = settings or load_settings()
    practice = read_practice(settings.practice_file)
    yield Session(settings, practice, await connect_checked(settings, practice) if connect else None)
