"""The whole sandbox as one object, and the path that every vendor call takes through it."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.ascend import seed
from sandbox.ascend.service import Ascend
from sandbox.errors import ErrorResponse, coded_error
from sandbox.fault_responses import CutOffResponse, response_after_commit, response_before_commit
from sandbox.faults import Fault, Faults, VendorCall
from sandbox.messaging.openapi import RequestValidator
from sandbox.nexhealth.openapi import ViolationRecorder
from sandbox.nexhealth.service import NexHealth
from sandbox.store import Row, Store
from sandbox.timestamps import current_timestamp

Handler = Callable[[], Response]

_ROW_KINDS = ("locations", "operatories", "providers", "patients", "appointments", "events", "emails", "texts")
_MAX_CALL_TIMES = 20_000


class Sandbox:
    def __init__(self, database: Path, contracts: Path | None) -> None:
        self.store = Store(database)
        if self.store.is_empty:
            seed.seed(self.store)
        self.ascend = Ascend(self.store, seed.ORGANIZATION, seed.CLIENT)
        self.faults = Faults()
        self.nexhealth = NexHealth(database, self.faults)
        self.nexhealth_openapi = ViolationRecorder(contracts)
        self._messaging_requests = RequestValidator(contracts)
        self.call_counts: dict[str, Counter[str]] = {
            system: Counter() for system in ("ascend", "nexhealth", "sendgrid", "twilio")
        }
        self._call_times = {system: deque[float](maxlen=_MAX_CALL_TIMES) for system in self.call_counts}
        """Seconds since 1970 of the latest calls of each system."""
        self._late_commits: set[asyncio.Task[None]] = set()
        """Asyncio keeps only weak references to tasks, so we hold them until they are done."""

    async def serve(self, system: str, request: Request, path: str, handle: Handler) -> Response:
        """Answer one vendor call: count it, apply the fault that is due, and run ``handle``."""
        body = await request.body()
        self.call_counts[system][f"{request.method} {_path_pattern(path)}"] += 1
        self._call_times[system].append(time.time())
        call = VendorCall(system, request.method, path, request.headers.get("host", ""), body)
        fault = self.faults.next_for(call)
        arrived_at = current_timestamp()

        def validate_and_handle() -> Response:
            self._messaging_requests.validate(system, request.method, path, dict(request.headers), body)
            self.ascend.call_arrived_at = arrived_at
            return handle()

        if fault is None:
            return respond(validate_and_handle)
        return await self._serve_with_fault(fault, call, validate_and_handle)

    async def _serve_with_fault(self, fault: Fault, call: VendorCall, handle: Handler) -> Response:
        kind = fault.kind
        if kind == "late_commit":
            self._commit_later(fault.seconds, handle)
            return CutOffResponse()
        early = await self._response_before_commit(fault, call)
        if early is not None:
            return early
        response = respond(handle)
        if kind == "webhook_first":
            await self.nexhealth.settle()
        if kind == "hang_after":
            await asyncio.sleep(fault.seconds)
        if kind == "hold_after" and not await self.faults.hold(fault, call):
            return CutOffResponse()
        return response_after_commit(fault) or response

    async def _response_before_commit(self, fault: Fault, call: VendorCall) -> Response | None:
        """The answer of a fault that keeps the call from being carried out; None if it is carried out."""
        kind = fault.kind
        if kind in ("hang_before", "slow"):
            await asyncio.sleep(fault.seconds)
        if kind in ("hang_before", "drop_before"):
            return CutOffResponse()
        if kind == "hold_before" and not await self.faults.hold(fault, call):
            return CutOffResponse()
        if kind == "expire_tokens":
            tokens = self.nexhealth.auth.tokens if fault.system == "nexhealth" else self.ascend.tokens
            tokens.clear()
        return response_before_commit(fault)

    def _commit_later(self, seconds: float, handle: Handler) -> None:
        async def commit() -> None:
            await asyncio.sleep(seconds)
            respond(handle)

        task = asyncio.create_task(commit())
        self._late_commits.add(task)
        task.add_done_callback(self._late_commits.discard)

    def state(self) -> Row:
        """Everything that ``GET /_control/state`` shows."""
        rows = {kind: self.store.all(kind) for kind in _ROW_KINDS}
        return {
            "organization": self.store.all("organization")[0],
            **rows,
            "templates": self.store.all("scheduletemplates"),
            "calls": {system: dict(counts) for system, counts in self.call_counts.items()},
            "called": {system: list(times) for system, times in self._call_times.items()},
            "faults": self.faults.as_rows(),
            "hits": self.faults.hits,
            "log": self.store.log_entries(),
            "settings": vars(self.ascend.switches),
            "nexhealth": {**self.nexhealth.state_rows(), "violations": self.nexhealth_openapi.violations},
        }

    def reset(self, *, keep_subscriptions: bool) -> None:
        """Go back to the seed data, without faults, counts or changed switches."""
        self.store.clear()
        seed.seed(self.store)
        self.faults.clear()
        self.faults.hits.clear()
        self.ascend.switches = type(self.ascend.switches)()
        self.nexhealth.reset(keep_subscriptions=keep_subscriptions)
        self.nexhealth_openapi.violations.clear()
        for system, counts in self.call_counts.items():
            counts.clear()
            self._call_times[system].clear()


def respond(handle: Handler) -> Response:
    """Run the handler, and turn what it raises into an HTTP answer."""
    try:
        return handle()
    except ErrorResponse as error:
        return JSONResponse(error.body, status_code=error.status)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return JSONResponse(coded_error(400, "invalid_body", str(error)[:60]).body, status_code=400)


def _path_pattern(path: str) -> str:
    """The path with ``{id}`` in place of each number, so that calls of one endpoint count together."""
    return "/".join("{id}" if part.isdecimal() else part for part in path.split("/"))
