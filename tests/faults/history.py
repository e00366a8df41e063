"""The history in Jepsen's sense, as JSON lines: each client operation is invoked, then ok, refused or unknown.

Jepsen calls these invoke, ok, fail and info. An operation with an unknown outcome may or may not have taken effect.
"""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

INVOKED, OK, REFUSED, UNKNOWN = "invoked", "ok", "refused", "unknown"


@dataclass(frozen=True)
class HistoryEntry:
    at: float
    """Seconds since 1970."""
    request_id: str
    operation: str
    """``submit``, ``submit_other``, ``cancel``, ``reschedule`` or ``resolve:<kind>``."""
    outcome: str
    detail: str = ""
    """The status in the answer, or the name of the error. Never personal data."""


class History:
    def __init__(self, path: Path) -> None:
        self._file = path.open("w")
        self.entries: list[HistoryEntry] = []

    def record(self, request_id: str, operation: str, outcome: str, detail: str = "") -> None:
        entry = HistoryEntry(round(time.time(), 3), request_id, operation, outcome, detail)
        self.entries.append(entry)
        self._file.write(json.dumps(asdict(entry)) + "\n")
        self._file.flush()
