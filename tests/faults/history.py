"""What the clients did and heard, as JSON lines: every call is invoked, then ok, refused or unknown."""

import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

OK, REFUSED, UNKNOWN, INVOKED = "ok", "refused", "unknown", "invoked"


@dataclass(frozen=True)
class Event:
    at: float
    """Seconds since 1970."""
    request_id: str
    call: str
    """``submit``, ``submit_other``, ``cancel``, ``reschedule``, ``resolve:<kind>``."""
    outcome: str
    detail: str = ""
    """The status answered, or why not; nothing about people."""


class History:
    def __init__(self, path: Path) -> None:
        self._file = path.open("w")
        self.events: list[Event] = []

    def note(self, request_id: str, call: str, outcome: str, detail: str = "") -> None:
        event = Event(round(time.time(), 3), request_id, call, outcome, detail)
        self.events.append(event)
        self._file.write(json.dumps(asdict(event)) + "\n")
        self._file.flush()


def read(lines: Iterable[str]) -> list[Event]:
    return [Event(**json.loads(line)) for line in lines]
