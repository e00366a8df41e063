"""What is measured. Every function runs on the same ground and returns figures by name."""

import asyncio
import os
import random
import statistics
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from bench.bare import VARIANTS
from bench.clinic import Place
from bench.counts import actions
from bench.ground import Ground, bare_worker, booking_worker
from bench.load import Timed, Work, closed, steady
from demo.scenarios import CHAIRS, DENTIST
from domain.booking import BookingView, Reason, Status
from workflows.booking.messages import Resolution, ResolutionKind

BOOKING = "booking"
CONTESTANTS = (BOOKING, *VARIANTS)
AT_ONCE = 20
EVERY = 0.25
"""Seconds from one request to the next where latency is measured: some hundred times what one practice sees."""

Say = Callable[[str], None]


@dataclass
class Compared:
    """One contestant, over all rounds."""

    flat_out: Timed = field(default_factory=Timed)
    unhurried: Timed = field(default_factory=Timed)
    cpu: Counter[str] = field(default_factory=Counter)
    """Seconds of processor time by part, while flat out and until the messages were out."""

    def figures(self) -> dict[str, object]:
        number = len(self.flat_out.latencies)
        return {
            "per_second": round(self.flat_out.rate, 1),
            "p50_ms_flat_out": round(self.flat_out.quantile(0.5)),
            "p95_ms_flat_out": round(self.flat_out.quantile(0.95)),
            "cpu_ms": {part: round(seconds / number * 1000, 1) for part, seconds in self.cpu.items()},
            **(_spread(self.unhurried) if self.unhurried.latencies else {}),
        }


def _spread(timed: Timed) -> dict[str, object]:
    return {
        "p50_ms": round(timed.quantile(0.5)),
        "p95_ms": round(timed.quantile(0.95)),
        "latencies_ms": [round(latency * 1000) for latency in timed.latencies],
    }


async def warm_up(ground: Ground) -> None:
    for variant in VARIANTS:
        await closed([lambda v=variant: ground.run_bare(v)] * 20, 10)  # type: ignore[misc]
    await closed(ground.bookings_to_confirm(20), 10)
    await _messages_out(ground)


async def compare(
    ground: Ground, rounds: int, number: int, say: Say, contestants: Sequence[str] = CONTESTANTS
) -> dict[str, Compared]:
    """Interleaved rounds, so that whatever else the machine does hits all alike; flat out, then unhurried."""
    found = {name: Compared() for name in contestants}
    for turn in range(rounds):
        order = list(contestants) if turn % 2 == 0 else list(reversed(contestants))
        for name in order:
            work = _work(ground, name, number)
            before = processor_seconds(ground)
            found[name].flat_out += await closed(work, AT_ONCE)
            await _settled(ground, name)
            after = processor_seconds(ground)
            found[name].cpu.update({part: after[part] - before.get(part, 0) for part in after})
        for name in [name for name in order if name in (BOOKING, "bare")]:
            found[name].unhurried += await steady(_work(ground, name, number // 2), EVERY)
            await _settled(ground, name)
        rates = ", ".join(f"{name} {one.flat_out.rate:.1f}/s" for name, one in found.items())
        say(f"round {turn + 1} of {rounds}: {rates}")
    return found


async def by_workers(ground: Ground, number: int, say: Say) -> list[dict[str, float]]:
    """The same with 1, 2 and 3 worker processes of each kind."""
    found = []
    for workers in (1, 2, 3):
        if workers > 1:
            ground.stack.add(booking_worker(f"worker-{workers}"))
            ground.stack.add(bare_worker(f"bare-{workers}"))
            await warm_up(ground)
        compared = await compare(ground, 1, number, lambda _: None, (BOOKING, "bare"))
        row = {"workers": workers, "booking": compared[BOOKING].flat_out.rate, "bare": compared["bare"].flat_out.rate}
        say(f"{workers} worker processes: {row['booking']:.1f} bookings/s, bare {row['bare']:.1f}/s")
        found.append({name: round(value, 1) for name, value in row.items()})
    for part in [part for part in ground.stack.parts if part.name.endswith(("-2", "-3"))]:
        ground.stack.remove(part)
    return found


Kind = Callable[[Ground], Awaitable[BookingView]]


async def kinds(ground: Ground) -> dict[str, dict[str, object]]:
    """Practice-system calls, history events and Actions of each kind of booking, the middle of three."""
    every: dict[str, Kind] = {
        "known patient": _known,
        "new patient": _new,
        "staff approval": _approved,
        "any provider, first one taken": _any_provider,
        "slot lost": _lost,
    }
    found = {}
    for name, kind in every.items():
        seen = [await _counted(ground, kind) for _ in range(3)]
        found[name] = sorted(seen, key=lambda one: (one["calls"], one["events"]))[1]
    return found


async def _counted(ground: Ground, kind: Kind) -> dict[str, object]:
    before = Counter(ground.clinic.control.calls()["ascend"])
    view = await kind(ground)
    await _messages_out(ground)
    calls = Counter(ground.clinic.control.calls()["ascend"]) - before
    events = await ground.events(view.request_id)
    by_action = actions(events)
    return {
        "status": view.status.value,
        "calls": sum(calls.values()),
        "by_endpoint": dict(calls),
        "events": len(events),
        "actions": sum(by_action.values()),
        "by_action": dict(by_action),
    }


async def _known(ground: Ground) -> BookingView:
    return await ground.book_to_confirmed(ground.clinic.place(), ground.clinic.patient())


async def _new(ground: Ground) -> BookingView:
    return await ground.book_to_confirmed(ground.clinic.place(), ground.clinic.newcomer())


async def _approved(ground: Ground) -> BookingView:
    place = Place("oakland", "exam", ground.clinic.spare_start())
    view = await ground.book(place, ground.clinic.patient())
    return await ground.bookings.resolve(view.request_id, Resolution(kind=ResolutionKind.APPROVE))


async def _any_provider(ground: Ground) -> BookingView:
    start = _taken_start(ground)
    return await ground.book_to_confirmed(Place("oakland", "anybody", start), ground.clinic.patient())


async def _lost(ground: Ground) -> BookingView:
    return await ground.book(Place("oakland", "checkup", _taken_start(ground)), ground.clinic.patient())


def _taken_start(ground: Ground) -> datetime:
    """A start at which the desk has just booked the dentist's chair."""
    start = ground.clinic.spare_start()
    ground.clinic.control.desk(
        do="book",
        operatory=CHAIRS["oakland"][0],
        provider=DENTIST["oakland"],
        patient="9000000000301",
        start=start.isoformat(),
        duration=15,
    )
    return start


async def surge_for_one_slot(ground: Ground, number: int) -> dict[str, object]:
    """So many strangers want one start at the same instant."""
    place = Place("oakland", "checkup", ground.clinic.day("oakland")[8])
    return await _surge(ground, [place] * number)


async def surge_for_one_day(ground: Ground, number: int, openings: int) -> dict[str, object]:
    """So many strangers want a day that has room for ``openings``."""
    starts = ground.clinic.day("oakland")
    free = [Place("oakland", service, start) for start in starts for service in ("checkup", "cleaning")][:openings]
    return await _surge(ground, random.Random(7).choices(free, k=number))


async def _surge(ground: Ground, wanted: Sequence[Place]) -> dict[str, object]:
    views: list[BookingView] = []
    before = Counter(ground.clinic.control.calls()["ascend"])

    async def one(place: Place) -> None:
        views.append(await ground.book(place, ground.clinic.newcomer()))

    timed = await closed([lambda p=place: one(p) for place in wanted], len(wanted))  # type: ignore[misc]
    calls = Counter(ground.clinic.control.calls()["ascend"]) - before
    lost = [view for view in views if view.status is Status.NEEDS_STAFF and view.reason is Reason.SLOT_TAKEN]
    return {
        "requests": len(wanted),
        "openings": len({(place.service, place.start) for place in wanted}),
        "held": sum(view.appointment_id is not None for view in views),
        "answered_with_alternatives": sum(bool(view.alternatives) for view in lost),
        "withdrawn": sum(n for name, n in calls.items() if name.startswith("DELETE")),
        "written": calls["POST /v1/appointments"],
        "calls": sum(calls.values()),
        "seconds": round(timed.seconds, 1),
        "p50_ms": round(timed.quantile(0.5)),
        "p95_ms": round(timed.quantile(0.95)),
        "outcomes": dict(Counter(f"{view.status}:{view.reason or ''}" for view in views)),
    }


async def quiet_beside_surge(ground: Ground, number: int, quiet: int, every: float) -> dict[str, object]:
    """One location books as on any day, alone and while ``number`` requests surge at another of the same account."""
    alone = await steady(ground.bookings_to_confirm(quiet, "brooklyn"), every)
    await _settled(ground, BOOKING)
    work = ground.bookings_to_confirm(quiet, "brooklyn")
    starts = ground.clinic.day("oakland")
    surging = asyncio.create_task(_surge(ground, [Place("oakland", "checkup", starts[n % 8]) for n in range(number)]))
    await asyncio.sleep(0.5)
    beside = await steady(work, every)
    during = not surging.done()
    surge = await surging
    return {
        "alone": _spread(alone),
        "beside": _spread(beside),
        "surge_seconds": surge["seconds"],
        "surge_outlasted_it": during,
    }


async def many_open(ground: Ground, number: int, folder: Path, say: Say) -> dict[str, object]:
    """So many confirmed bookings open at once: memory, files, and the time to list the desk's queue."""
    begun = time.perf_counter()
    memory = {0: worker_megabytes(ground)}
    done = 0
    while done < number:
        done += len((await closed(ground.bookings_to_confirm(200), AT_ONCE)).latencies)
        ground.clinic.control.reset()  # the vendor's calendar is not what grows here
        memory[done] = worker_megabytes(ground)
        say(f"{done} open, worker {memory[done]} MB, {done / (time.perf_counter() - begun):.1f}/s")
    for _ in range(20):
        await _lost(ground)
    listed = []
    for _ in range(5):
        at = time.perf_counter()
        queue = await ground.bookings.find(open_exceptions=True)
        listed.append((time.perf_counter() - at) * 1000)
    return {
        "open": done,
        "worker_mb_before": memory[0],
        "worker_mb": memory[done],
        "memory_mb": memory,
        "server_file_mb": round((folder / "temporal.db").stat().st_size / 1e6, 1),
        "server_mb": _megabytes(ground.processes()["temporal"]),
        "queue_length": queue.total,
        "queue_listed_ms": round(statistics.median(listed)),
    }


def _work(ground: Ground, name: str, number: int) -> list[Work]:
    if name == BOOKING:
        return list(ground.bookings_to_confirm(number))
    return [lambda: ground.run_bare(name)] * number


async def _settled(ground: Ground, name: str) -> None:
    """Nothing of the round before may still be at work in the next one."""
    if name == BOOKING:
        await _messages_out(ground)
    await asyncio.sleep(0.5)


async def _messages_out(ground: Ground) -> None:
    sent = -1
    while sent != (now := ground.messages_sent()):
        sent = now
        await asyncio.sleep(0.4)


def processor_seconds(ground: Ground) -> dict[str, float]:
    """User and system time by part, where the system tells (Linux)."""
    return {part: sum(map(_processor_seconds, pids)) for part, pids in ground.processes().items()}


def _processor_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def worker_megabytes(ground: Ground) -> float:
    return _megabytes(ground.processes()["worker"])


def _megabytes(pids: Sequence[int]) -> float:
    """Resident memory."""
    total = 0
    for pid in pids:
        try:
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except OSError:
            return 0
    return round(total / 1e6, 1)
