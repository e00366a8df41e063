"""Scripted faults: which call they apply to, what goes wrong, and how often.

``hold_before`` and ``hold_after`` stop a call at an exact point until ``/_control/release`` lets it go on, so that
a test can act at that very moment, for example kill a process or edit the calendar.
"""

import asyncio
import itertools
import re
import time
from dataclasses import asdict, dataclass, field
from typing import Any

_fault_ids = itertools.count(1)

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
"""All kinds. ``_before`` and ``_after`` say on which side of the commit a fault happens. A held call goes on by itself
after ``seconds``."""


@dataclass
class Fault:
    """The fields of ``POST /_control/faults``. README.md explains them."""

    system: str
    kind: str
    method: str = ""
    path: str = ""
    """A regular expression."""
    times: int | None = 1
    """How often it happens; None for no limit."""
    skip: int = 0
    """How many matching calls pass before it happens for the first time."""
    seconds: float = 5
    """How long the fault hangs, delays, holds or hides something. Its kind says which."""
    status: int = 503
    retry_after: int = 2
    for_seconds: float | None = None
    """How long the fault stays in force."""
    match: str = ""
    """A text that the request body must contain."""
    then: dict[str, Any] | None = None
    """The fault to add when this one happens."""
    id: int = field(default_factory=lambda: next(_fault_ids))
    fired: int = 0
    since: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind: unknown; allowed: {', '.join(sorted(KINDS))}")

    @property
    def is_over(self) -> bool:
        expired = self.for_seconds is not None and time.monotonic() - self.since > self.for_seconds
        return expired or (self.times is not None and self.fired >= self.times)

    def matches(self, call: "VendorCall") -> bool:
        return (
            self.system == call.system
            and self.method in ("", call.method)
            and re.search(self.path, call.path) is not None
            and self.match.encode() in call.body
        )


@dataclass(frozen=True)
class VendorCall:
    """The parts of a call that faults are matched against."""

    system: str
    method: str
    path: str
    host: str
    """The host header. Callers that reach the sandbox at different addresses differ in it."""
    body: bytes = field(repr=False)


class Faults:
    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._held_calls: dict[int, tuple[VendorCall, asyncio.Future[bool]]] = {}
        """By the id of the fault that holds the call. The future says whether the call goes on."""
        self.hits: list[dict[str, Any]] = []
        """Every call that a fault was applied to, in order."""

    def add(self, **fields: Any) -> Fault:
        fault = Fault(**fields)
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Remove all faults and let held calls go on."""
        self._faults.clear()
        for fault_id in list(self._held_calls):
            self.release(fault_id)

    def next_for(self, call: VendorCall) -> Fault | None:
        """The first fault that applies to this call. Counts it as fired, and as a hit."""
        for fault in self._faults:
            if fault.kind == "stale_reads" or fault.is_over or not fault.matches(call):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            fault.fired += 1
            if fault.then is not None:
                self.add(**fault.then)
            self._record_hit(fault, call)
            return fault
        return None

    def _record_hit(self, fault: Fault, call: VendorCall) -> None:
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

    async def hold(self, fault: Fault, call: VendorCall) -> bool:
        """Wait for ``release``, for at most the fault's ``seconds``. False if the call must be dropped."""
        released = asyncio.get_running_loop().create_future()
        self._held_calls[fault.id] = call, released
        try:
            return await asyncio.wait_for(released, fault.seconds)
        except TimeoutError:
            return True
        finally:
            self._held_calls.pop(fault.id, None)

    def release(self, fault_id: int, *, drop: bool = False) -> None:
        """Let the held call go on, or drop its connection."""
        held = self._held_calls.get(fault_id)
        if held is not None and not held[1].done():
            held[1].set_result(not drop)

    def held_calls(self) -> list[dict[str, Any]]:
        """The calls that are held now, each with the id of the fault that holds it."""
        return [
            {
                "fault": fault_id,
                "host": call.host,
                "method": call.method,
                "path": call.path,
                "body": call.body.decode(errors="replace"),
            }
            for fault_id, (call, _) in self._held_calls.items()
        ]

    def list_staleness(self) -> float:
        """How many seconds behind Ascend's appointment lists are; 0 without a ``stale_reads`` fault."""
        stale = [fault for fault in self._faults if fault.kind == "stale_reads" and not fault.is_over]
        return max((fault.seconds for fault in stale), default=0)

    def as_rows(self) -> list[dict[str, Any]]:
        return [asdict(fault) for fault in self._faults]
