"""Makes the trouble that a plan deals, and remembers what really happened."""

import asyncio
import contextlib
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.booking import Status
from tests.faults import ledger
from tests.faults.clients import Clients, Person
from tests.faults.drowsy import AFTER, BEFORE, BEFORE_EDIT
from tests.faults.facts import OptOut, Window
from tests.faults.nexhealth import NexHealth
from tests.faults.plan import Stop
from tests.faults.practice import ELSEWHERE, Visit
from tests.faults.stack import TEMPORAL, FaultStack, Part
from tests.faults.troubles import Trouble
from workflows.booking.messages import Resolution, ResolutionKind

LOOK_EVERY = 0.04
AT_LEAST, AT_MOST = 14.0, 35.0
"""Seconds for which there is trouble."""
HELD_AT_MOST = 40.0
WAITS_FOR_BOOKINGS = 12.0
CUT_OFF_FOR = 3.0
NEVER = 1e9
CLOSED: dict[str, tuple[str, ...]] = {
    "desk_block": ("operatory",),
    "desk_send_home": ("provider",),
    "desk_close": (),
}
"""Of what the desk closes a time: of a chair, of a provider, or of the whole office."""
ASLEEP = {"sleep_before": BEFORE, "sleep_after": AFTER, "sleep_over_row": BEFORE_EDIT}
"""By deed, the note that sends a worker to sleep."""
IN_FLIGHT = timedelta(seconds=2)
"""A send that a provider took so long before or after may not have been noted."""
Row = dict[str, Any]


class Nemesis:
    def __init__(self, stack: FaultStack, clients: Clients) -> None:
        self._stack = stack
        self._practice = stack.practice
        self._clients = clients
        self._elsewhere = clients.at(ELSEWHERE)
        """A time that nobody asks for."""
        self._ambushes: dict[int, Trouble] = {}
        self._scripts: dict[int, Trouble] = {}
        self._running: set[asyncio.Task[None]] = set()
        self.fired: Counter[str] = Counter()
        self.windows: list[Window] = []
        """When workers died, or could not write down what they had done."""
        self.opt_outs: list[OptOut] = []

    async def opt_out(self, stop: Stop) -> None:
        """Somebody says stop, by the way that an answered text will take."""
        await asyncio.sleep(stop.at)
        to = Person(stop.person).addresses[stop.channel]
        self.opt_outs.append(await ledger.opt_out(self._stack.ledger_url, stop.channel, to))

    async def torment(self, troubles: tuple[Trouble, ...], requests: Awaitable[object]) -> None:
        """Everything dealt, while requests come, for some time; then all trouble ends."""
        for trouble in troubles:
            if trouble.script or trouble.ambush:
                await self._arm(trouble)
            else:
                self._begin(self._later(trouble))
        watching = asyncio.create_task(self._watch())
        with contextlib.suppress(TimeoutError):
            lasting = asyncio.gather(asyncio.shield(requests), asyncio.sleep(AT_LEAST))
            await asyncio.wait_for(lasting, AT_MOST)
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
        kind = trouble.script or f"hold_{trouble.ambush}"
        seconds = trouble.seconds if trouble.script else HELD_AT_MOST
        given = {**self._where(trouble.call), "skip": trouble.skip, "times": trouble.times, **trouble.extra}
        fault = await self._stack.control("faults", kind=kind, seconds=seconds, **given)
        (self._scripts if trouble.script else self._ambushes)[fault["id"]] = trouble

    def _where(self, call: str) -> Row:
        return asdict(self._practice.calls[call])

    async def _watch(self) -> None:
        """Be there when a call is held."""
        met: set[int] = set()
        while True:
            for call in (await self._stack.control("held"))["held"]:
                if call["fault"] not in met:
                    met.add(call["fault"])
                    self._begin(self._spring(self._ambushes[call["fault"]], call))
            await asyncio.sleep(LOOK_EVERY)

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

    async def _sleep(self, trouble: Trouble) -> bool:
        """Whichever worker comes to that point next falls asleep there, and wakes out of Temporal's reach."""
        note = self._stack.folder / ASLEEP[trouble.deed]
        note.touch()
        end = asyncio.get_running_loop().time() + WAITS_FOR_BOOKINGS
        while note.exists() or not (sleeping := [worker for worker in self._stack.workers if worker.asleep]):
            if asyncio.get_running_loop().time() > end:
                note.unlink(missing_ok=True)
                return False
            await asyncio.sleep(LOOK_EVERY)
        self._unsure(timedelta(seconds=trouble.seconds + CUT_OFF_FOR))
        for worker in sleeping:
            await worker.gates[TEMPORAL].shut()
        await asyncio.sleep(trouble.seconds)
        for worker in sleeping:
            self._stack.signal(worker, signal.SIGCONT)
        await asyncio.sleep(CUT_OFF_FOR)
        for worker in sleeping:
            await worker.gates[TEMPORAL].open()
        return True

    async def _cancel(self, call: Row) -> bool:
        reference = self._practice.reference_of(call, await self._stack.control("state"))
        request_id = await self._clients.request_of(reference)
        if request_id is None:
            return False
        self._begin(self._clients.cancel(request_id))
        await asyncio.sleep(0.5)
        return True

    async def _desk(self, deed: str, call: Row) -> bool:
        """The front desk acts on the very appointment that the held call is about."""
        state = await self._stack.control("state")
        reference = self._practice.reference_of(call, state)
        if deed == "desk_book" or deed in CLOSED:
            wanted = self._practice.written_in(call)
            return wanted is not None and await self._take_the_chair(deed, wanted)
        rows = [visit for visit in self._practice.visits(state) if reference and visit.reference == reference]
        if not rows:
            return False
        await self._change(deed.removeprefix("desk_"), rows[0])
        return True

    async def _change(self, what: str, visit: Visit) -> None:
        """The front desk moves, cancels or deletes an appointment."""
        more = {"start": self._elsewhere.isoformat()} if what == "move" else {}
        await self._at_desk(do=what, id=visit.id, **more)
        self._elsewhere -= timedelta(hours=1 if more else 0)

    async def _take_the_chair(self, deed: str, wanted: Row) -> bool:
        if deed == "desk_book":
            await self._at_desk(do="book", patient=self._practice.place.regular, **wanted)
        else:
            end = datetime.fromisoformat(wanted["start"]) + timedelta(minutes=wanted["duration"])
            closed = {name: wanted[name] for name in CLOSED[deed]}
            where = {"location": self._practice.place.id, **closed}
            await self._at_desk(do="block", start=wanted["start"], end=end.isoformat(), **where)
        return True

    async def _at_desk(self, **action: Any) -> None:
        await self._stack.control("desk", **self._practice.desk(**action))

    def _unsure(self, lasting: timedelta) -> None:
        now = datetime.now(UTC)
        self.windows.append((now - IN_FLIGHT, now + lasting + IN_FLIGHT))

    async def _later(self, trouble: Trouble) -> None:
        await asyncio.sleep(trouble.at)
        deeds: dict[str, Callable[[Trouble], Awaitable[bool | None]]] = {
            "refuse": self._refuse,
            "drain": self._drain,
            "kill_temporal": self._kill_temporal,
            "lock_ledger": self._lock_ledger,
            "fill_ledger": self._fill_ledger,
            "kill_web": self._kill_web,
            "office_off": self._office_off,
            "writes_off": self._office_off,
            "copy_stale": self._copy_stale,
            "desk_overtakes": self._overtake,
            "desk_blocks_queue": self._overtake,
            "decline_moved": self._decline_moved,
            **dict.fromkeys(ASLEEP, self._sleep),
            **{f"landed_{what}": self._change_landed for what in ("book", "move", "cancel", "delete")},
        }
        if await deeds[trouble.deed](trouble) is not False:
            self.fired[trouble.name] += 1

    async def _refuse(self, trouble: Trouble) -> None:
        gates = [worker.gates[trouble.system or self._practice.vendor] for worker in self._stack.workers]
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
        async with ledger.locked(self._stack.ledger_url):
            await asyncio.sleep(trouble.seconds)

    async def _fill_ledger(self, trouble: Trouble) -> None:
        self._unsure(timedelta(seconds=trouble.seconds))
        async with self._stack.full_disk():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(trouble.seconds)

    async def _kill_web(self, trouble: Trouble) -> None:
        assert self._stack.web is not None
        self._stack.kill(self._stack.web, trouble.seconds)
        await asyncio.sleep(trouble.seconds)

    async def _office_off(self, trouble: Trouble) -> None:
        """Its server is switched off, or only nothing is written there."""
        off: Row = {"online": False}
        on: Row = {"online": True}
        if trouble.deed == "writes_off":
            off, on = {"write_status": "red"}, {"write_status": None}
        await self._office(**off)
        await asyncio.sleep(trouble.seconds)
        await self._office(**on)

    async def _office(self, **changes: Any) -> None:
        await self._stack.control("office", id=int(self._practice.place.id), **changes)

    async def _copy_stale(self, trouble: Trouble) -> None:
        await self._stack.control("nexhealth", read_every=NEVER)
        await asyncio.sleep(trouble.seconds)
        await self._stack.control("nexhealth", read_every=1.0)

    async def _overtake(self, trouble: Trouble) -> bool:
        """While the office's server is off, the desk fills the chairs that queued bookings are meant for."""
        assert isinstance(self._practice, NexHealth)
        wanted: list[Row] = []
        await self._office(online=False)
        end = asyncio.get_running_loop().time() + WAITS_FOR_BOOKINGS
        while not wanted and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(trouble.seconds)
            wanted = self._practice.queued_places(await self._stack.control("state"))
        for place in wanted:
            await self._take_the_chair("desk_book" if trouble.deed == "desk_overtakes" else "desk_block", place)
        await self._office(online=True)
        return bool(wanted)

    async def _change_landed(self, trouble: Trouble) -> bool:
        """The front desk acts on what has just come in, before we have looked at it, or soon after."""
        known = {visit.id for visit in self._practice.visits(await self._stack.control("state"))}
        end = asyncio.get_running_loop().time() + WAITS_FOR_BOOKINGS
        while asyncio.get_running_loop().time() < end:
            visits = self._practice.visits(await self._stack.control("state"))
            new = [visit for visit in visits if visit.reference and visit.active and visit.id not in known]
            if new:
                await self._to_landed(trouble.deed.removeprefix("landed_"), new[0])
                return True
            await asyncio.sleep(LOOK_EVERY)
        return False

    async def _to_landed(self, what: str, visit: Visit) -> None:
        if what != "book":
            return await self._change(what, visit)
        minutes = int((visit.end - visit.start).total_seconds() / 60)
        place = {"start": visit.start.isoformat(), "duration": minutes}
        await self._take_the_chair("desk_book", {**place, "provider": visit.provider, "operatory": visit.operatory})

    async def _decline_moved(self, trouble: Trouble) -> bool:
        """The desk moves a hold in its calendar, says no to the booking, and then that the appointment stays."""
        end = asyncio.get_running_loop().time() + WAITS_FOR_BOOKINGS
        while asyncio.get_running_loop().time() < end:
            for visit in self._practice.visits(await self._stack.control("state")):
                request_id = await self._clients.request_of(visit.reference) if visit.active else None
                if request_id is not None and await self._clients.is_asked(request_id, Status.HELD):
                    await self._change("move", visit)
                    await asyncio.sleep(trouble.seconds)
                    await self._clients.resolve(request_id, Resolution(kind=ResolutionKind.DECLINE))
                    asked = await self._clients.is_asked(request_id, Status.DECLINED, within=WAITS_FOR_BOOKINGS)
                    if asked:
                        await self._clients.resolve(request_id, Resolution(kind=ResolutionKind.APPROVE))
                    return asked
            await asyncio.sleep(trouble.seconds)
        return False
