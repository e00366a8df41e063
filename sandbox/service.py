"""Everything behind the sandbox's URL as one thing, and how a vendor's call goes through it."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox import seed
from sandbox.ascend import Answer, Ascend, problem
from sandbox.contracts import Contracts
from sandbox.faults import Call, Fault, Faults
from sandbox.nexhealth.document import Document
from sandbox.nexhealth.service import NexHealth
from sandbox.store import Row, Store
from sandbox.times import now_text
from sandbox.trouble import CutOff, afterwards, instead

_KINDS = ("locations", "operatories", "providers", "patients", "appointments", "events", "emails", "texts")
_REMEMBERED_CALLS = 20_000


class Sandbox:
    def __init__(self, database: Path, contracts: Path | None) -> None:
        self.store = Store(database)
        self._contracts = Contracts(contracts)
        if self.store.empty:
            seed.seed(self.store)
        self.ascend = Ascend(self.store, seed.ORGANIZATION, seed.CLIENT)
        self.faults = Faults()
        self.nexhealth = NexHealth(database, self.faults)
        self.document = Document(contracts)
        self.calls: dict[str, Counter[str]] = {
            system: Counter() for system in ("ascend", "nexhealth", "sendgrid", "twilio")
        }
        self.called: dict[str, deque[float]] = {system: deque(maxlen=_REMEMBERED_CALLS) for system in self.calls}
        """When, in seconds since 1970; the latest ones."""
        self._late: set[asyncio.Task[None]] = set()

    async def serve(self, system: str, request: Request, path: str, work: Callable[[], Response]) -> Response:
        """One vendor call, with whatever trouble is due."""
        body = await request.body()
        self.calls[system][f"{request.method} {_shape(path)}"] += 1
        self.called[system].append(time.time())
        call = Call(system, request.method, path, request.headers.get("host", ""), body)
        trouble = self.faults.due(call)
        arrived = now_text()

        def allowed() -> Response:
            self._contracts.check(system, request.method, path, dict(request.headers), body)
            self.ascend.asked = arrived
            return work()

        if trouble is None:
            return answered(allowed)
        return await self._troubled(trouble, call, allowed)

    async def _troubled(self, trouble: Fault, call: Call, work: Callable[[], Response]) -> Response:
        kind = trouble.kind
        if kind == "late_commit":
            task = asyncio.create_task(self._later(trouble.seconds, work))
            self._late.add(task)
            task.add_done_callback(self._late.discard)
            return CutOff()
        if kind in ("hang_before", "slow"):
            await asyncio.sleep(trouble.seconds)
        if kind in ("hang_before", "drop_before"):
            return CutOff()
        if kind == "hold_before" and not await self.faults.hold(trouble, call):
            return CutOff()
        if kind == "expire_tokens":
            (self.nexhealth.entry if trouble.system == "nexhealth" else self.ascend).tokens.clear()
        refused = instead(trouble)
        if refused is not None:
            return refused
        answer = answered(work)
        if kind == "webhook_first":
            await self.nexhealth.settle()
        if kind == "hang_after":
            await asyncio.sleep(trouble.seconds)
        if kind == "hold_after" and not await self.faults.hold(trouble, call):
            return CutOff()
        return afterwards(trouble) or answer

    async def _later(self, seconds: float, work: Callable[[], Response]) -> None:
        await asyncio.sleep(seconds)
        answered(work)

    def state(self) -> Row:
        rows = {kind: self.store.all(kind) for kind in _KINDS}
        return {
            "organization": self.store.all("organization")[0],
            **rows,
            "templates": self.store.all("scheduletemplates"),
            "calls": {system: dict(counts) for system, counts in self.calls.items()},
            "called": {system: list(times) for system, times in self.called.items()},
            "faults": self.faults.listed(),
            "hits": self.faults.hits,
            "log": self.store.log(),
            "settings": vars(self.ascend.switches),
            "nexhealth": {**self.nexhealth.state(), "violations": self.document.violations},
        }

    def reset(self, *, keep_subscriptions: bool) -> None:
        """As on the first day."""
        self.store.clear()
        seed.seed(self.store)
        self.faults.clear()
        self.faults.hits.clear()
        self.ascend.switches = type(self.ascend.switches)()
        self.nexhealth.reset(keep_subscriptions=keep_subscriptions)
        self.document.violations.clear()
        for system, counts in self.calls.items():
            counts.clear()
            self.called[system].clear()


def answered(work: Callable[[], Response]) -> Response:
    """What comes of it, refusals as answers."""
    try:
        return work()
    except Answer as answer:
        return JSONResponse(answer.body, status_code=answer.status)
    except (KeyError, TypeError, ValueError, AttributeError) as wrong:
        return JSONResponse(problem(400, "invalid_body", str(wrong)[:60]).body, status_code=400)


def _shape(path: str) -> str:
    return "/".join("{id}" if part.isdecimal() else part for part in path.split("/"))
