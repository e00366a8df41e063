"""Scripted trouble: which call, what goes wrong, how often; and calls held at an exact point until let go."""

import asyncio
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
        "code_false",
        "array_error",
        "text_error",
        "fault_error",
        "rate_limited",
        "expire_tokens",
        "forbidden",
        "slow",
        "stale_reads",
        "hold_before",
        "hold_after",
    ]
)
"""``_before`` and ``_after`` say on which side of the commit. ``hold_*`` waits there for ``/_control/release``, at
most ``seconds``: what must happen exactly at that point (a kill, a hand at the front desk) has its time."""


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
    then: dict[str, Any] | None = None
    """The fault that begins when this one fires."""
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


@dataclass(frozen=True)
class Call:
    """One vendor call, as far as trouble is concerned with it."""

    system: str
    method: str
    path: str
    host: str
    """The address it was sent to: tells callers apart that were given different ones."""
    body: bytes = field(repr=False)


class Faults:
    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._held: dict[int, tuple[Call, asyncio.Future[bool]]] = {}
        self.hits: list[dict[str, Any]] = []
        """Every call that met a fault, in order."""

    def add(self, **given: Any) -> Fault:
        fault = Fault(**given)
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """End all trouble; what is held goes on."""
        self._faults.clear()
        for fault_id in list(self._held):
            self.release(fault_id)

    def due(self, call: Call) -> Fault | None:
        """The first fault that this call meets, counted as fired."""
        for fault in self._faults:
            if fault.kind == "stale_reads" or fault.over:
                continue
            if not fault.concerns(call.system, call.method, call.path, call.body):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            fault.fired += 1
            if fault.then is not None:
                self.add(**fault.then)
            self.hits.append(
                {
                    "fault": fault.id,
                    "kind": fault.kind,
                    "system": call.system,
                    "method": call.method,
                    "path": call.path,
                    "body": call.body.decode(errors="replace"),
                }
            )
            return fault
        return None

    async def hold(self, fault: Fault, call: Call) -> bool:
        """Wait to be let go; False where the call is to vanish instead of going on."""
        released = asyncio.get_running_loop().create_future()
        self._held[fault.id] = call, released
        try:
            return await asyncio.wait_for(released, fault.seconds)
        except TimeoutError:
            return True
        finally:
            self._held.pop(fault.id, None)

    def release(self, fault_id: int, *, drop: bool = False) -> None:
        held = self._held.get(fault_id)
        if held is not None and not held[1].done():
            held[1].set_result(not drop)

    def held(self) -> list[dict[str, Any]]:
        """Calls that wait, by the fault that holds them."""
        return [
            {
                "fault": fault_id,
                "host": call.host,
                "method": call.method,
                "path": call.path,
                "body": call.body.decode(errors="replace"),
            }
            for fault_id, (call, _) in self._held.items()
        ]

    def staleness(self) -> float:
        """Seconds for which what was written last is not seen by lists."""
        stale = [f for f in self._faults if f.kind == "stale_reads" and not f.over]
        return max((f.seconds for f in stale), default=0)

    def listed(self) -> list[dict[str, Any]]:
        return [asdict(fault) for fault in self._faults]
