"""What a command works with: settings, rules and, where needed, the connection to Temporal."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from adapters.practice_file import read_practice
from client.bookings import BookingClient
from domain.practice import Practice
from runtime.client import connect as connect_temporal
from runtime.logs import configure_logging
from settings import Settings, load_settings


@dataclass(frozen=True)
class Session:
    settings: Settings
    practice: Practice
    connected: BookingClient | None

    @property
    def bookings(self) -> BookingClient:
        assert self.connected is not None, "this command did not ask for a connection"
        return self.connected


@asynccontextmanager
async def open_session(*, connect: bool = True) -> AsyncIterator[Session]:
    """Raises ConfigurationError, PracticeFileError, or ConnectionError when Temporal can't be reached."""
    settings = load_settings()
    configure_logging(settings.log_format, "WARNING")
    practice = read_practice(settings.practice_file)
    yield Session(settings, practice, await _bookings(settings, practice) if connect else None)


async def _bookings(settings: Settings, practice: Practice) -> BookingClient:
    return BookingClient(await connect_temporal(settings), practice, settings.booking_task_queue)
