"""One account with Ascend."""

from dataclasses import dataclass, field
from datetime import timedelta


@dataclass(frozen=True)
class AscendConfig:
    base_url: str
    client_id: str
    client_secret: str = field(repr=False)
    organization_id: str
    connect_timeout: float = 5
    read_timeout: float = 15
    """Seconds; a write that takes longer counts as unknown."""
    page_size: int = 500
    requests_per_second: float = 8
    confirmed_status: str = "CONFIRMED"
    longest_appointment: timedelta = timedelta(hours=12)
    """Ascend lists appointments by start: those that began so long before a span are looked at too."""
    blocks_for: timedelta = timedelta(minutes=10)
    """A check before a write may use blocked time read so long ago. The look after it asks what was changed since,
    which does not show what was deleted: that stays closed for so long."""
    reference_data_for: timedelta = timedelta(hours=1)
    """Locations, providers, operatories and templates are read again after so long."""
