"""Makes the trouble that a plan deals, and remembers what really happened."""

import asyncio
import contextlib
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from client.bookings import BookingClient
from tests.faults import practice
from tests.faults.clients import Clients
from tests.faults.stack import FaultStack, Part
from tests.faults.troubles import Trouble

LOOK_EVERY = 0.04
HELD_AT_MOST = 40.0
IN_FLIGHT = timedelta(seconds=2)
"""A send that a provider took so long before or after may not have been noted."""
Window = tuple[datetime, datetime]
Row = dict[str, Any]


class Nemesis:
    def __init__(self, stack: FaultStack, clients: Clients, bookings: BookingClient, elsewhere: datetime) -> None:
        self._stack = stack
        self._clients = clients
        self._bookings = bookings
        self._elsewhere = elsewhere
        """A time that nobody asks for."""
        self._ambushes: dict[int, Trouble] = {}
        self._scripts: dict[int, Trouble] = {}
        self._running: set[asyncio.Task[None]] = set()
        self.fired: Counter[str] = Counter()
        self.windows: list[Window] = []
        """When workers died, or could not write down what they had done."""

    async def torment(self, troubles: tuple[Trouble, ...], seconds: float) -> None:
        """Everything dealt, for so long; then all trouble ends."""
        for trouble in troubles:
            if trouble.script or trouble.ambush:
                await self._arm(trouble)
            else:
                self._begin(self._later(trouble))
        watching = asyncio.create_task(self._watch())
        await asyncio.sleep(seconds)
        await asyncio.gather(*self._running, return_exceptions=True)
        watching.cancel()
        for fault in (await self._stack.control("state"))["faults"]:
            if fault["id"] in self._scripts and fault["fired"]:
                self.fired[self._scripts[fault["id"]].name] += fault["fired"]
        for trouble in self._scripts.values():
            if trouble.script == "stale_reads":
                self.fired[trouble.name] += 1
        await self._stack.clear_faults()
        for part in self._stack.workers:
            self._stack.signal(part, signal.SIGCONT)

    def _begin(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _arm(self, trouble: Trouble) -> None:
        if trouble.ambush == "token":
            await self._arm_at_new_token(trouble)
            return
        system, method, path = practice.CALLS.get(trouble.call, (trouble.system, "", ""))
        kind = trouble.script or f"hold_{trouble.ambush}"
        seconds = trouble.seconds if trouble.script else HELD_AT_MOST
        where = {"system": system, "method": method, "path": path, "skip": trouble.skip, "times": trouble.times}
        fault = await self._stack.control("faults", kind=kind, seconds=seconds, **where, **trouble.extra)
        (self._scripts if trouble.script else self._ambushes)[fault["id"]] = trouble

    async def _arm_at_new_token(self, trouble: Trouble) -> None:
        """The only call between the claim's last assertion and the write is for a new token: hold that one."""
        system, method, path = practice.CALLS["token"]
        hold = {"system": system, "method": method, "path": path, "kind": "hold_after", "seconds": HELD_AT_MOST}
        system, method, path = practice.CALLS[trouble.call]
        refusal = await self._stack.control(
            "faults", system=system, method=method, path=path, kind="expire_tokens", skip=trouble.skip, then=hold
        )
        self._ambushes[-refusal["id"]] = trouble

    async def _watch(self) -> None:
        """Be there when a call is held."""
        met: set[int] = set()
        while True:
            for call in (await self._stack.control("held"))["held"]:
                if call["fault"] not in met:
                    met.add(call["fault"])
                    self._begin(self._spring(self._trouble_of(call), call))
            await asyncio.sleep(LOOK_EVERY)

    def _trouble_of(self, call: Row) -> Trouble:
        found = self._ambushes.get(call["fault"])
        return found or next(trouble for trouble in self._ambushes.values() if trouble.ambush == "token")

    async def _spring(self, trouble: Trouble, call: Row) -> None:
        try:
            if await self._at_call(trouble, call):
                self.fired[trouble.name] += 1
        finally:
            await self._stack.control("release", fault_id=call["fault"], drop=trouble.drop)

    async def _at_call(self, trouble: Trouble, call: Row) -> bool:
        worker = self._stack.worker_at(call["host"])
        if worker is None:
            return False
        if trouble.deed == "kill":
            self._stack.kill(worker)
            self._unsure(timedelta(0))
            return True
        if trouble.deed == "pause":
            return await self._pause(worker, trouble.seconds)
        if trouble.deed == "cancel":
            return await self._cancel(call)
        return await self._desk(trouble.deed, call)

    async def _pause(self, worker: Part, seconds: float) -> bool:
        self._unsure(timedelta(seconds=seconds))
        self._stack.signal(worker, signal.SIGSTOP)
        await asyncio.sleep(seconds)
        self._stack.signal(worker, signal.SIGCONT)
        return True

    async def _cancel(self, call: Row) -> bool:
        reference = practice.reference_of(call, await self._stack.control("state"))
        request_id = await self._clients.request_of(reference)
        if request_id is None:
            return False
        self._begin(self._clients.cancel(request_id))
        await asyncio.sleep(0.5)
        return True

    async def _desk(self, deed: str, call: Row) -> bool:
        """The front desk acts on the very appointment that the held call is about."""
        state = await self._stack.control("state")
        reference = practice.reference_of(call, state)
        if deed in ("desk_book", "desk_block"):
            return await self._take_the_chair(deed, call)
        rows = [row for row in state["appointments"] if reference and reference in (row.get("note") or "")]
        if not rows:
            return False
        if deed == "desk_delete":
            await self._stack.control("desk", do="delete", id=rows[0]["id"])
        else:
            await self._stack.control("desk", do="move", id=rows[0]["id"], start=self._elsewhere.isoformat())
            self._elsewhere -= timedelta(hours=1)
        return True

    async def _take_the_chair(self, deed: str, call: Row) -> bool:
        wanted = practice.written_in(call)
        if wanted is None:
            return False
        if deed == "desk_book":
            await self._stack.control("desk", do="book", patient=practice.REGULAR, **wanted)
        else:
            end = datetime.fromisoformat(wanted["start"]) + timedelta(minutes=wanted["duration"])
            where = {"location": practice.LOCATION, "operatory": wanted["operatory"]}
            await self._stack.control("desk", do="block", start=wanted["start"], end=end.isoformat(), **where)
        return True

    def _unsure(self, lasting: timedelta) -> None:
        now = datetime.now(UTC)
        self.windows.append((now - IN_FLIGHT, now + lasting + IN_FLIGHT))

    async def _later(self, trouble: Trouble) -> None:
        await asyncio.sleep(trouble.at)
        deeds: dict[str, Callable[[Trouble], Awaitable[None]]] = {
            "refuse": self._refuse,
            "drain": self._drain,
            "kill_temporal": self._kill_temporal,
            "lock_ledger": self._lock_ledger,
            "fill_ledger": self._fill_ledger,
        }
        await deeds[trouble.deed](trouble)
        self.fired[trouble.name] += 1

    async def _refuse(self, trouble: Trouble) -> None:
        gates = [worker.gates[trouble.system] for worker in self._stack.workers]
        for gate in gates:
            await gate.shut()
        await asyncio.sleep(trouble.seconds)
        for gate in gates:
            await gate.open()

    async def _drain(self, trouble: Trouble) -> None:
        for worker in self._stack.workers:
            self._stack.signal(worker, signal.SIGTERM)
            await asyncio.sleep(1)

    async def _kill_temporal(self, trouble: Trouble) -> None:
        self._unsure(timedelta(seconds=trouble.seconds))
        self._stack.kill(self._stack.temporal, trouble.seconds)
        await asyncio.sleep(trouble.seconds)

    async def _lock_ledger(self, trouble: Trouble) -> None:
        self._unsure(timedelta(seconds=trouble.seconds))
        async with self._stack.locked_ledger():
            await asyncio.sleep(trouble.seconds)

    async def _fill_ledger(self, trouble: Trouble) -> None:
        self._unsure(timedelta(seconds=trouble.seconds))
        async with self._stack.full_disk():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(trouble.seconds)
