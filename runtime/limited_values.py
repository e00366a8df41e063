"""Values of the practice file that are written there, but do not apply as written."""

from datetime import timedelta
from typing import NamedTuple

from adapters.nexhealth import Account, worker_share
from domain.practice import Connection, Practice
from settings import Settings


class LimitedValue(NamedTuple):
    """One value that a limit of ours replaces."""

    connection: str
    key: str
    """The name in the practice file."""
    written: str
    applies: str
    reason: str

    @property
    def sentence(self) -> str:
        return f"{self.key} is {self.written} in the practice file, but {self.applies} applies: {self.reason}"


def find_limited_values(practice: Practice, settings: Settings) -> list[LimitedValue]:
    """Every value of the practice file that does not apply in a worker with these settings."""
    return [value for connection in practice.connections for value in _limited_values_of(connection, settings)]


def _limited_values_of(connection: Connection, settings: Settings) -> list[LimitedValue]:
    values, landing = [], connection.landing
    if landing.max_wait < landing.min_wait:
        written, applies = _seconds(landing.max_wait), _seconds(landing.min_wait)
        reason = "the desk is not asked earlier about a booking that has not landed"
        values.append(LimitedValue(connection.name, "landing_max_wait", written, applies, reason))
    share = Account(worker_share(settings.nexhealth_workers)).calls_per_second
    is_written = "requests_per_second" in connection.model_fields_set
    if connection.kind == "nexhealth" and is_written and connection.requests_per_second > share:
        written, applies = f"{connection.requests_per_second:g}", f"{share:g}"
        reason = "that is a worker's share of NexHealth's limit, see NEXHEALTH_WORKERS"
        values.append(LimitedValue(connection.name, "requests_per_second", written, applies, reason))
    return values


def _seconds(duration: timedelta) -> str:
    return f"{duration.total_seconds():g}s"
