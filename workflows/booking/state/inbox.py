"""The signals that came to a booking, and those that it set aside."""

from dataclasses import dataclass

from domain.booking import SetAsideCause


@dataclass
class Inbox:
    received: int = 0
    """How many signals came. The number tells one from another."""
    set_aside: int = 0
    """How many of them could not be read or accepted."""
    last_cause: SetAsideCause | None = None
    """Why the latest of these was set aside."""
    waits: int = 0
    """How many updates waited for the decision."""

    def receive(self) -> int:
        """The number of the signal that came now."""
        self.received += 1
        return self.received

    def put_aside(self, cause: SetAsideCause) -> None:
        self.set_aside += 1
        self.last_cause = cause

    def count_wait(self) -> None:
        self.waits += 1
