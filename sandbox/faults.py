"""Scripted trouble: which call, what goes wrong, how often."""

import itertools
import re
import time
from dataclasses import asdict, dataclass, field
from typing import Any

_ids = itertools.count(1)

KINDS = frozenset(
    [
        "status_before",
        "status_after",
        "hang_before",
        "hang_after",
        "drop_before",
        "drop_after",
        "late_commit",
        "webhook_first",
        *("lost", "twice", "late", "forged"),
        *("held", "failed", "timed_out", "incomplete"),
        "garbage",
        "array_error",
        "text_error",
        "fault_error",
        "rate_limited",
        "expire_tokens",
        "forbidden",
        "slow",
        "stale_reads",
    ]
)


@dataclass
class Fault:
    system: str
    kind: str
    method: str = ""
    path: str = ""
    times: int | None = 1
    skip: int = 0
    seconds: float = 5
    status: int = 503
    retry_after: int = 2
    for_seconds: float | None = None
    match: str = ""
    id: int = field(default_factory=lambda: next(_ids))
    fired: int = 0
    since: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind: unknown; allowed: {', '.join(sorted(KINDS))}")

    @property
    def over(self) -> bool:
        ended = self.for_seconds is not None and time.monotonic() - self.since > self.for_seconds
        return ended or (self.times is not None and self.fired >= self.times)

    def concerns(self, system: str, method: str, path: str, body: bytes) -> bool:
        return (
            self.system == system
            and self.method in ("", method)
            and re.search(self.path, path) is not None
            and self.match.encode() in body
        )


class Faults:
    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, **given: Any) -> Fault:
        fault = Fault(**given)
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        self._faults.clear()

    def due(self, system: str, method: str, path: str, body: bytes) -> Fault | None:
        """The first fault that this call meets, counted as fired."""
        for fault in self._faults:
            if fault.kind == "stale_reads" or fault.over or not fault.concerns(system, method, path, body):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            fault.fired += 1
            return fault
        return None

    def staleness(self) -> float:
        """Seconds for which what was written last is not seen by lists."""
        stale = [f for f in self._faults if f.kind == "stale_reads" and not f.over]
        return max((f.seconds for f in stale), default=0)

    def listed(self) -> list[dict[str, Any]]:
        return [asdict(fault) for fault in self._faults]
