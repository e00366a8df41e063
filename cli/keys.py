"""Which payload keys are in use, and which may be dropped."""

from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.progress import Progress
from temporalio.client import Client

from runtime.key_usage import NOT_ENCRYPTED, KeyUsage, read_key_usage
from runtime.keys import Keyring


@dataclass(frozen=True)
class KeyReport:
    key_id: str
    configured: bool
    """Whether this process has it."""
    encrypts: bool
    open_bookings: int
    closed_bookings: int
    """Those that have ended and that Temporal still retains."""

    @property
    def may_go(self) -> bool:
        return self.configured and not (self.encrypts or self.open_bookings or self.closed_bookings)

    @property
    def is_missing(self) -> bool:
        return not self.configured

    @property
    def advice(self) -> str:
        uses = f"{self.open_bookings} open and {self.closed_bookings} closed bookings use it"
        if self.is_missing:
            return f"{uses}, but it is not in PAYLOAD_KEYS: add it again, or they cannot be read"
        if self.encrypts:
            return f"{uses}; it encrypts new ones"
        return f"{uses}; keep it" if self.open_bookings or self.closed_bookings else "no booking uses it: it may go"

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"may_go": self.may_go}


async def count_key_usage(client: Client, console: Console) -> KeyUsage:
    """Shows the progress on this console if it is a terminal."""
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("Reading bookings", total=None)
        return await read_key_usage(client, lambda done, total: progress.update(task, completed=done, total=total))


def key_reports(keyring: Keyring, usage: KeyUsage) -> list[KeyReport]:
    """One report for each key that is configured or in use, in the order of PAYLOAD_KEYS."""
    unknown = [key_id for key_id in usage.key_ids if key_id not in keyring.ids]
    return [
        KeyReport(
            key_id=key_id,
            configured=key_id in keyring.ids,
            encrypts=key_id == keyring.primary_id,
            open_bookings=usage.open_bookings[key_id],
            closed_bookings=usage.closed_bookings[key_id],
        )
        for key_id in (*keyring.ids, *unknown)
    ]


def count_plain(usage: KeyUsage) -> int:
    """Bookings with payloads that are not encrypted."""
    return usage.open_bookings[NOT_ENCRYPTED] + usage.closed_bookings[NOT_ENCRYPTED]
