"""Settings for one institution at NexHealth, as far as one practice system keeps its calendars."""

from dataclasses import dataclass, field
from datetime import timedelta

WEBHOOK_PATH = "/webhooks/nexhealth"


@dataclass(frozen=True)
class NexHealthConfig:
    base_url: str
    api_key: str = field(repr=False)
    """Decides between NexHealth's sandbox and production: both have the same URL."""
    subdomain: str
    """The institution's name in every call."""
    system: str
    """The office system: a key of ``profiles.PROFILES``."""
    locations: tuple[str, ...]
    """Ids of the locations that we book for. We read no others, because every call costs money."""
    public_url: str = ""
    """Where patients book, and where NexHealth delivers events. If empty, there are no events, and we poll."""
    connect_timeout: float = 5
    """Seconds."""
    read_timeout: float = 15
    """Seconds. The outcome of a write that takes longer is unknown."""
    page_size: int = 1000
    requests_per_second: float = 8
    longest_appointment: timedelta = timedelta(hours=12)
    """A calendar read begins this much before its span, to see appointments that began earlier."""
    reference_data_max_age: timedelta = timedelta(hours=1)
    """Locations, providers, operatories and working hours are read again after this time."""
    office_status_max_age: timedelta = timedelta(minutes=15)
    """Whether the offices accept writes is read once in this time, however many bookings wait for one."""

    @property
    def webhook_url(self) -> str:
        return f"{self.public_url}{WEBHOOK_PATH}" if self.public_url else ""
