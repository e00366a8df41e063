"""The port to a messaging provider: one message to one person."""

from datetime import datetime
from enum import StrEnum
from typing import Protocol

from pydantic import AwareDatetime, Field

from domain.base import Value

MAX_MESSAGE_ID_LENGTH = 100
"""The longest id of a provider that the ledger holds."""


class Channel(StrEnum):
    EMAIL = "email"
    SMS = "sms"


class OutgoingMessage(Value):
    key: str
    """Random 128-bit key, the same for every attempt. It is the only data of ours that a provider may store."""
    to: str = Field(repr=False)
    """Email address, or phone number in E.164 format."""
    subject: str = Field(default="", repr=False)
    """Email only."""
    text: str = Field(repr=False)
    send_before: AwareDatetime
    """The request must leave before this instant, or not at all: a newer message may have been sent by then."""
    deliver_before: AwareDatetime | None = None
    """After this instant the message is outdated, so the provider should not deliver it any more."""


class Messenger(Protocol):
    @property
    def channel(self) -> Channel: ...

    async def send(self, message: OutgoingMessage) -> str:
        """Send the message once and return the provider's id. Raises the errors of ``adapters.errors``."""
        ...

    async def find_sent(self, message: OutgoingMessage, since: datetime) -> tuple[str, ...]:
        """Provider ids of messages sent since then that may be this one. Empty if the provider cannot tell."""
        ...

    async def check(self) -> list[str]:
        """Problems with our account or settings, in plain words."""
        ...

    async def close(self) -> None: ...
