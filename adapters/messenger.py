"""The port to a messaging provider: one message to one person."""

from datetime import datetime
from enum import StrEnum
from typing import Protocol

from pydantic import AwareDatetime, Field

from domain.base import Value


class Channel(StrEnum):
    EMAIL = "email"
    SMS = "sms"


class OutgoingMessage(Value):
    key: str
    """Opaque 128-bit key, the same at every attempt; the only thing of ours a provider may store."""
    to: str = Field(repr=False)
    subject: str = Field(default="", repr=False)
    """Email only."""
    text: str = Field(repr=False)
    send_before: AwareDatetime
    """No byte of it leaves after this instant: a later word may be on its way by then."""
    deliver_before: AwareDatetime | None = None
    """After this instant the message says something stale."""


class Messenger(Protocol):
    @property
    def channel(self) -> Channel: ...

    async def send(self, message: OutgoingMessage) -> str:
        """Hand it over once; returns the provider's id. Raises the errors of ``adapters.errors``."""
        ...

    async def find_sent(self, message: OutgoingMessage, since: datetime) -> tuple[str, ...]:
        """The provider's ids of what it sent since then and may be this; none where it can't tell."""
        ...

    async def check(self) -> list[str]:
        """Problems with our account or settings, in plain words."""
        ...

    async def close(self) -> None: ...
