"""The nemesis: injects the faults of a plan, and records what really happened."""

import asyncio
import contextlib
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.booking import Status
from tests.faults import ledger_faults
from tests.faults.clients import Clients, Person
from tests.faults.evidence import OptOut, TimeWindow
from tests.faults.fault_catalog import LATE_COMMIT_SECONDS, Fault
from tests.faults.front_desk import SLOT_ACTIONS, FrontDesk
from tests.faults.nexhealth_probe import NexHealthProbe
from tests.faults.plan import PlannedOptOut
from tests.faults.practice_probe import DESK_MOVE_TIME, Row
from tests.faults.stack import TEMPORAL, ChildProcess, FaultStack
from tests.faults.suspending_worker import AFTER_FENCE, BEFORE_EDIT, BEFORE_FENCE
from workflows.booking.contracts import Resolution, ResolutionKind

POLL_INTERVAL = 0.04
MIN_FAULT_SECONDS, MAX_FAULT_SECONDS = 14.0, 35.0
"""How long faults occur."""
MAX_HOLD_SECONDS = LATE_COMMIT_SECONDS[1]
"""How long the sandbox holds a call that nobody has released. A call that goes on later would break what the practice
file promises as ``late_commit``. Finding a held call's booking can take longer, while workers are suspended."""
BOOKING_TIMEOUT = 12.0
"""Seconds that a timed fault waits for a booking that it can hit."""
DISCONNECT_SECONDS = 3.0
"""How long a resumed worker stays cut off from Temporal."""
CANCEL_HEAD_START = 0.5
"""Seconds that a patient's cancellation gets before the held call goes on."""
DRAIN_DELAY = 1.0
"""Seconds between the restarts of two workers."""
NORMAL_READ_SECONDS, FROZEN_READ_SECONDS = 1.0, 1e9
"""How often NexHealth copies the office's calendar."""
SEND_MARGIN = timedelta(seconds=2)
"""A message that a provider took this shortly before or after a disruption may not have been recorded."""
SUSPENSIONS = {
    "suspend_before_fence": BEFORE_FENCE,
    "suspend_after_fence": AFTER_FENCE,
    "suspend_before_edit": BEFORE_EDIT,
}
"""By action: the file that requests it from the workers."""


class Nemesis:
    def __init__(self, stack: FaultStack, clients: Clients) -> None:
        self._stack = stack
        self._probe = stack.probe
        self._clients = clients
        self._desk = FrontDesk(stack, move_to=clients.at(DESK_MOVE_TIME))
        self._call_holds: dict[int, Fault] = {}
        """Faults that hold a call, by the sandbox's fault id."""
        self._sandbox_faults: dict[int, Fault] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.fired: Counter[str] = Counter()
        """How often each fault occurred, by name."""
        self.disruptions: list[TimeWindow] = []
        """When workers died, were suspended, or could not record what they had done."""
        self.opt_outs: list[OptOut] = []

    async def opt_out(self, planned: PlannedOptOut) -> None:
        await asyncio.sleep(planned.start_after)
        address = Person(planned.person).addresses[planned.channel]
        self.opt_outs.append(await ledger_faults.opt_out(self._stack.ledger_url, planned.channel, address))

    async def run(self, faults: tuple[Fault, ...], requests: Awaitable[object]) -> None:
        """Inject the faults while requests are sent, for a limited time. Then end all faults."""
        for fault in faults:
            if fault.sandbox_fault or fault.hold_point:
                await self._install(fault)
            else:
                self._start_task(self._run_timed(fault))
        watching = asyncio.create_task(self._watch_held_calls())
        with contextlib.suppress(TimeoutError):
            work = asyncio.gather(asyncio.shield(requests), asyncio.sleep(MIN_FAULT_SECONDS))
            await asyncio.wait_for(work, MAX_FAULT_SECONDS)
        await asyncio.gather(*self._tasks, return_exceptions=True)
        watching.cancel()
        await self._count_sandbox_faults()
        await self._stack.clear_faults()
        for worker in self._stack.workers:
            self._stack.signal(worker, signal.SIGCONT)

    async def _count_sandbox_faults(self) -> None:
        for row in (await self._stack.control("state"))["faults"]:
            if row["id"] in self._sandbox_faults and row["fired"]:
                self.fired[self._sandbox_faults[row["id"]].name] += row["fired"]
        for fault in self._sandbox_faults.values():
            if fault.sandbox_fault == "stale_reads":  # the sandbox does not count these
                self.fired[fault.name] += 1

    def _start_task(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _install(self, fault: Fault) -> None:
        """Tell the sandbox to misbehave, or to hold a call for us."""
        kind = fault.sandbox_fault or f"hold_{fault.hold_point}"
        row = await self._stack.control(
            "faults",
            kind=kind,
            seconds=fault.seconds if fault.sandbox_fault else MAX_HOLD_SECONDS,
            skip=fault.skip,
            times=fault.times,
            **asdict(self._probe.calls[fault.call]),
            **fault.sandbox_options,
        )
        (self._sandbox_faults if fault.sandbox_fault else self._call_holds)[row["id"]] = fault

    async def _watch_held_calls(self) -> None:
        handled: set[int] = set()
        while True:
            for call in (await self._stack.control("held"))["held"]:
                if call["fault"] not in handled:
                    handled.add(call["fault"])
                    self._start_task(self._act_and_release(self._call_holds[call["fault"]], call))
            await asyncio.sleep(POLL_INTERVAL)

    async def _act_and_release(self, fault: Fault, call: Row) -> None:
        try:
            if await self._act_at_call(fault, call):
                self.fired[fault.name] += 1
        finally:
            await self._stack.control("release", fault_id=call["fault"], drop=fault.drop_held_call)

    async def _act_at_call(self, fault: Fault, call: Row) -> bool:
        """Whether the action was possible."""
        worker = self._stack.find_caller(call["host"])
        if worker is None:
            return False
        if fault.action == "kill_worker":
            self._stack.kill(worker)
            self._record_disruption(timedelta(0))
            return True
        if fault.action == "pause_worker":
            return await self._pause_worker(worker, fault.seconds)
        if fault.action == "cancel_booking":
            return await self._cancel_booking(call)
        return await self._act_as_desk(fault.action, call)

    async def _pause_worker(self, worker: ChildProcess, seconds: float) -> bool:
        self._record_disruption(timedelta(seconds=seconds))
        self._stack.signal(worker, signal.SIGSTOP)
        await asyncio.sleep(seconds)
        self._stack.signal(worker, signal.SIGCONT)
        return True

    async def _cancel_booking(self, call: Row) -> bool:
        """The patient cancels the booking that the held call is about."""
        reference = self._probe.reference_of(call, await self._stack.control("state"))
        request_id = await self._clients.find_request_id(reference)
        if request_id is None:
            return False
        self._start_task(self._clients.cancel(request_id))
        await asyncio.sleep(CANCEL_HEAD_START)
        return True

    async def _act_as_desk(self, action: str, call: Row) -> bool:
        """The desk takes the slot that the held call writes, or edits the appointment that it is about."""
        state = await self._stack.control("state")
        if action in SLOT_ACTIONS:
            slot = self._probe.requested_slot(call)
            if slot is None:
                return False
            await self._desk.fill_slot(action, slot)
            return True
        reference = self._probe.reference_of(call, state)
        appointments = [row for row in self._probe.appointments(state) if reference and row.reference == reference]
        if not appointments:
            return False
        await self._desk.edit(action.removeprefix("desk_"), appointments[0])
        return True

    def _record_disruption(self, duration: timedelta) -> None:
        now = datetime.now(UTC)
        self.disruptions.append((now - SEND_MARGIN, now + duration + SEND_MARGIN))

    async def _run_timed(self, fault: Fault) -> None:
        await asyncio.sleep(fault.start_after)
        actions: dict[str, Callable[[Fault], Awaitable[bool | None]]] = {
            "refuse_connections": self._refuse_connections,
            "restart_workers": self._restart_workers,
            "kill_temporal": self._kill_temporal,
            "lock_ledger": self._lock_ledger,
            "fill_ledger_disk": self._fill_ledger_disk,
            "kill_webhook_receiver": self._kill_webhook_receiver,
            "take_office_offline": self._take_office_offline,
            "stop_office_writes": self._stop_office_writes,
            "freeze_partner_copy": self._freeze_partner_copy,
            "desk_book_queued_slots": self._fill_queued_slots,
            "desk_block_queued_slots": self._fill_queued_slots,
            "desk_move_decline_keep": self._move_decline_keep,
            **dict.fromkeys(SUSPENSIONS, self._suspend_worker),
            "desk_book_over_new": self._act_on_new_appointment,
            "desk_move_new": self._act_on_new_appointment,
            "desk_cancel_new": self._act_on_new_appointment,
            "desk_delete_new": self._act_on_new_appointment,
        }
        if await actions[fault.action](fault) is not False:
            self.fired[fault.name] += 1

    async def _suspend_worker(self, fault: Fault) -> bool:
        """Suspend the next worker at the race point, and resume it while Temporal can't reach it."""
        request = self._stack.folder / SUSPENSIONS[fault.action]
        request.touch()
        end = asyncio.get_running_loop().time() + BOOKING_TIMEOUT
        while request.exists() or not (suspended := [worker for worker in self._stack.workers if worker.suspended]):
            if asyncio.get_running_loop().time() > end:
                request.unlink(missing_ok=True)
                return False
            await asyncio.sleep(POLL_INTERVAL)
        self._record_disruption(timedelta(seconds=fault.seconds + DISCONNECT_SECONDS))
        for worker in suspended:
            await worker.gates[TEMPORAL].shut()
        await asyncio.sleep(fault.seconds)
        for worker in suspended:
            self._stack.signal(worker, signal.SIGCONT)
        await asyncio.sleep(DISCONNECT_SECONDS)
        for worker in suspended:
            await worker.gates[TEMPORAL].open()
        return True

    async def _refuse_connections(self, fault: Fault) -> None:
        gates = [worker.gates[fault.system or self._probe.system] for worker in self._stack.workers]
        for gate in gates:
            await gate.shut()
        await asyncio.sleep(fault.seconds)
        for gate in gates:
            await gate.open()

    async def _restart_workers(self, fault: Fault) -> None:
        for worker in self._stack.workers:
            self._stack.signal(worker, signal.SIGTERM)
            await asyncio.sleep(DRAIN_DELAY)

    async def _kill_temporal(self, fault: Fault) -> None:
        self._record_disruption(timedelta(seconds=fault.seconds))
        self._stack.kill(self._stack.temporal, fault.seconds)
        await asyncio.sleep(fault.seconds)

    async def _lock_ledger(self, fault: Fault) -> None:
        self._record_disruption(timedelta(seconds=fault.seconds))
        async with ledger_faults.locked_ledger(self._stack.ledger_url):
            await asyncio.sleep(fault.seconds)

    async def _fill_ledger_disk(self, fault: Fault) -> None:
        self._record_disruption(timedelta(seconds=fault.seconds))
        async with self._stack.full_disk():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(fault.seconds)

    async def _kill_webhook_receiver(self, fault: Fault) -> None:
        assert self._stack.web is not None
        self._stack.kill(self._stack.web, fault.seconds)
        await asyncio.sleep(fault.seconds)

    async def _take_office_offline(self, fault: Fault) -> None:
        await self._set_office(online=False)
        await asyncio.sleep(fault.seconds)
        await self._set_office(online=True)

    async def _stop_office_writes(self, fault: Fault) -> None:
        """The office stays online, but NexHealth writes nothing there."""
        await self._set_office(write_status="red")
        await asyncio.sleep(fault.seconds)
        await self._set_office(write_status=None)

    async def _set_office(self, **changes: Any) -> None:
        await self._stack.control("office", id=int(self._probe.location.id), **changes)

    async def _freeze_partner_copy(self, fault: Fault) -> None:
        await self._stack.control("nexhealth", read_every=FROZEN_READ_SECONDS)
        await asyncio.sleep(fault.seconds)
        await self._stack.control("nexhealth", read_every=NORMAL_READ_SECONDS)

    async def _fill_queued_slots(self, fault: Fault) -> bool:
        """While the office is offline, the desk takes the slots of the writes that are queued for it."""
        assert isinstance(self._probe, NexHealthProbe)
        action = "desk_book" if fault.action == "desk_book_queued_slots" else "desk_block_operatory"
        slots: list[Row] = []
        await self._set_office(online=False)
        end = asyncio.get_running_loop().time() + BOOKING_TIMEOUT
        while not slots and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(fault.seconds)
            slots = self._probe.queued_slots(await self._stack.control("state"))
        for slot in slots:
            await self._desk.fill_slot(action, slot)
        await self._set_office(online=True)
        return bool(slots)

    async def _act_on_new_appointment(self, fault: Fault) -> bool:
        """The desk acts on our next new appointment, before or soon after we read it back."""
        known_ids = {row.id for row in self._probe.appointments(await self._stack.control("state"))}
        end = asyncio.get_running_loop().time() + BOOKING_TIMEOUT
        while asyncio.get_running_loop().time() < end:
            appointments = self._probe.appointments(await self._stack.control("state"))
            new = [row for row in appointments if row.reference and row.active and row.id not in known_ids]
            if new and fault.action == "desk_book_over_new":
                await self._desk.book_over(new[0])
                return True
            if new:
                await self._desk.edit(fault.action.removeprefix("desk_").removesuffix("_new"), new[0])
                return True
            await asyncio.sleep(POLL_INTERVAL)
        return False

    async def _move_decline_keep(self, fault: Fault) -> bool:
        """The desk moves a hold in its calendar, declines the request, and then decides to keep the appointment."""
        end = asyncio.get_running_loop().time() + BOOKING_TIMEOUT
        while asyncio.get_running_loop().time() < end:
            for appointment in self._probe.appointments(await self._stack.control("state")):
                if not appointment.active:
                    continue
                request_id = await self._clients.find_request_id(appointment.reference)
                if request_id is None or not await self._clients.wait_for_exception(request_id, Status.HELD):
                    continue
                await self._desk.edit("move", appointment)
                await asyncio.sleep(fault.seconds)
                await self._clients.resolve(request_id, Resolution(kind=ResolutionKind.DECLINE))
                asked_to_keep = await self._clients.wait_for_exception(request_id, Status.DECLINED, BOOKING_TIMEOUT)
                if asked_to_keep:
                    await self._clients.resolve(request_id, Resolution(kind=ResolutionKind.APPROVE))
                return asked_to_keep
            await asyncio.sleep(fault.seconds)
        return False
