"""Settings for one account with Ascend."""

from dataclasses import dataclass, field
from datetime import timedelta


@dataclass(frozen=True)
class AscendConfig:
    base_url: str
    client_id: str
    client_secret: str = field(repr=False)
    organization_id: str
    connect_timeout: float = 5
    """Seconds."""
    read_timeout: float = 15
    """Seconds. The outcome of a write that takes longer is unknown."""
    page_size: int = 500
    requests_per_second: float = 8
    """The vendor states no number. Its onboarding notes say 15 in the sandbox and 100 in production."""
    confirmed_status: str = "CONFIRMED"
    longest_appointment: timedelta = timedelta(hours=12)
    """Ascend filters appointments by their start, so a calendar read begins this much before its span."""
    blocks_max_age: timedelta = timedelta(minutes=10)
    """How old blocked time may be in a check before a write. Reads after the write ask for what changed since then.
    They do not show deleted events, so time that the desk opened again may look closed for this long."""
    reference_data_max_age: timedelta = timedelta(hours=1)
    """Locations, providers, operatories and templates are read again after this time."""
