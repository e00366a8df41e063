"""One institution at NexHealth, as far as one practice system keeps its calendars."""

from dataclasses import dataclass, field
from datetime import timedelta

WEBHOOK_PATH = "/webhooks/nexhealth"


@dataclass(frozen=True)
class NexHealthConfig:
    base_url: str
    api_key: str = field(repr=False)
    subdomain: str
    """The institution's name in every call."""
    system: str
    """What runs in the office: a key of ``profiles.PROFILES``."""
    locations: tuple[str, ...]
    """Ids of the locations we book for: only theirs are looked at, because every call costs."""
    public_url: str = ""
    """Where patients book and NexHealth tells us of landings; empty: it tells nothing, we look instead."""
    connect_timeout: float = 5
    read_timeout: float = 15
    """Seconds; a write that takes longer counts as unknown."""
    page_size: int = 1000
    requests_per_second: float = 8
    longest_appointment: timedelta = timedelta(hours=12)
    """Appointments that began so long before a span are looked at too."""
    reference_data_for: timedelta = timedelta(hours=1)
    """Locations, providers, operatories and working hours are read again after so long."""
    office_status_for: timedelta = timedelta(minutes=15)
    """Whether the offices take writes in is asked at most so often, however many bookings wait for one."""

    @property
    def webhook_url(self) -> str:
        return f"{self.public_url}{WEBHOOK_PATH}" if self.public_url else ""
