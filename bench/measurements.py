"""The measurements. Each function runs in the given environment and returns figures by name."""

import asyncio
import random
import statistics
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from bench.actions import count_actions
from bench.bare import VARIANTS
from bench.environment import BenchEnvironment, bare_worker, booking_worker
from bench.load import LoadResult, Work, run_at_concurrency, run_at_interval
from bench.practice import FreeSlot
from bench.processes import cpu_seconds, resident_megabytes
from demo.locations import DENTISTS, OPERATORIES
from domain.booking import BookingView, Reason, Status
from workflows.booking.contracts import Resolution, ResolutionKind

BOOKING = "booking"
CONTESTANTS = (BOOKING, *VARIANTS)
CONCURRENCY = 20
REQUEST_INTERVAL_SECONDS = 0.25
"""Between two requests where latency is measured. That is about a hundred times what one practice sees."""
ATTEMPTS_PER_KIND = 3
DESK_PATIENT_ID = "9000000000301"
"""A patient of the sandbox's seed data, for whom the desk books."""

Say = Callable[[str], None]
Figures = dict[str, object]


@dataclass
class Comparison:
    """What was measured of one contestant in all rounds."""

    flat_out: LoadResult = field(default_factory=LoadResult)
    steady: LoadResult = field(default_factory=LoadResult)
    cpu_seconds: Counter[str] = field(default_factory=Counter)
    """Processor time by part, during the flat-out runs and until their messages were sent."""

    def figures(self) -> Figures:
        number = len(self.flat_out.latencies)
        return {
            "per_second": round(self.flat_out.per_second, 1),
            "p50_ms_flat_out": round(self.flat_out.quantile_ms(0.5)),
            "p95_ms_flat_out": round(self.flat_out.quantile_ms(0.95)),
            "cpu_ms": {part: round(seconds / number * 1000, 1) for part, seconds in self.cpu_seconds.items()},
            **(_latency_figures(self.steady) if self.steady.latencies else {}),
        }


def _latency_figures(result: LoadResult) -> Figures:
    return {
        "p50_ms": round(result.quantile_ms(0.5)),
        "p95_ms": round(result.quantile_ms(0.95)),
        "latencies_ms": [round(latency * 1000) for latency in result.latencies],
    }


async def warm_up(environment: BenchEnvironment) -> None:
    for variant in VARIANTS:
        await run_at_concurrency([lambda v=variant: environment.run_bare(v)] * 20, 10)  # type: ignore[misc]
    await run_at_concurrency(environment.prepare_bookings(20), 10)
    await _wait_for_messages(environment)


async def compare(
    environment: BenchEnvironment, rounds: int, number: int, say: Say, contestants: Sequence[str] = CONTESTANTS
) -> dict[str, Comparison]:
    """Compare bookings with bare workflows: flat out for throughput, then at a steady rate for latency.

    The contestants take turns in every round, so that whatever else the machine does affects all of them.
    """
    comparisons = {name: Comparison() for name in contestants}
    for round_number in range(rounds):
        order = list(contestants) if round_number % 2 == 0 else list(reversed(contestants))
        for name in order:
            await _run_flat_out(environment, name, number, comparisons[name])
        for name in order:
            if name in (BOOKING, "bare"):
                work = _prepare_work(environment, name, number // 2)
                comparisons[name].steady += await run_at_interval(work, REQUEST_INTERVAL_SECONDS)
                await _wait_until_quiet(environment, name)
        rates = ", ".join(f"{name} {one.flat_out.per_second:.1f}/s" for name, one in comparisons.items())
        say(f"round {round_number + 1} of {rounds}: {rates}")
    return comparisons


async def _run_flat_out(environment: BenchEnvironment, name: str, number: int, comparison: Comparison) -> None:
    work = _prepare_work(environment, name, number)
    before = cpu_seconds(environment.process_ids())
    comparison.flat_out += await run_at_concurrency(work, CONCURRENCY)
    await _wait_until_quiet(environment, name)
    after = cpu_seconds(environment.process_ids())
    comparison.cpu_seconds.update({part: after[part] - before.get(part, 0) for part in after})


async def compare_worker_counts(environment: BenchEnvironment, number: int, say: Say) -> list[dict[str, float]]:
    """Throughput with 1, 2 and 3 worker processes of each kind."""
    rows = []
    for workers in (1, 2, 3):
        if workers > 1:
            environment.stack.add(booking_worker(f"worker-{workers}"))
            environment.stack.add(bare_worker(f"bare-{workers}"))
            await warm_up(environment)
        comparisons = await compare(environment, 1, number, lambda _: None, (BOOKING, "bare"))
        row = {
            "workers": workers,
            "booking": comparisons[BOOKING].flat_out.per_second,
            "bare": comparisons["bare"].flat_out.per_second,
        }
        say(f"{workers} worker processes: {row['booking']:.1f} bookings/s, {row['bare']:.1f} bare workflows/s")
        rows.append({name: round(value, 1) for name, value in row.items()})
    for part in [part for part in environment.stack.processes if part.name.endswith(("-2", "-3"))]:
        environment.stack.remove(part)
    return rows


BookingKind = Callable[[BenchEnvironment], Awaitable[BookingView]]


async def measure_cost_by_kind(environment: BenchEnvironment) -> dict[str, Figures]:
    """Practice-system calls, history events and Actions of each kind of booking. The median of three attempts."""
    kinds: dict[str, BookingKind] = {
        "known patient": _book_known_patient,
        "new patient": _book_new_patient,
        "staff approval": _book_and_approve,
        "any provider, first one taken": _book_any_provider,
        "slot lost": _book_taken_slot,
    }
    figures = {}
    for name, book in kinds.items():
        attempts = [await _measure_cost(environment, book) for _ in range(ATTEMPTS_PER_KIND)]
        figures[name] = sorted(attempts, key=lambda one: (one["calls"], one["events"]))[1]
    return figures


async def _measure_cost(environment: BenchEnvironment, book: BookingKind) -> Figures:
    before = Counter(environment.practice.control.call_counts()["ascend"])
    view = await book(environment)
    await _wait_for_messages(environment)
    calls = Counter(environment.practice.control.call_counts()["ascend"]) - before
    events = await environment.history_events(view.request_id)
    actions = count_actions(events)
    return {
        "status": view.status.value,
        "calls": sum(calls.values()),
        "by_endpoint": dict(calls),
        "events": len(events),
        "actions": sum(actions.values()),
        "by_action": dict(actions),
    }


async def _book_known_patient(environment: BenchEnvironment) -> BookingView:
    return await environment.book_to_confirmed(environment.practice.next_slot(), environment.practice.known_patient())


async def _book_new_patient(environment: BenchEnvironment) -> BookingView:
    return await environment.book_to_confirmed(environment.practice.next_slot(), environment.practice.new_patient())


async def _book_and_approve(environment: BenchEnvironment) -> BookingView:
    slot = FreeSlot("oakland", "exam", environment.practice.separate_start())
    view = await environment.book(slot, environment.practice.known_patient())
    return await environment.bookings.resolve(view.request_id, Resolution(kind=ResolutionKind.APPROVE))


async def _book_any_provider(environment: BenchEnvironment) -> BookingView:
    slot = FreeSlot("oakland", "any-provider", _start_taken_by_desk(environment))
    return await environment.book_to_confirmed(slot, environment.practice.known_patient())


async def _book_taken_slot(environment: BenchEnvironment) -> BookingView:
    slot = FreeSlot("oakland", "checkup", _start_taken_by_desk(environment))
    return await environment.book(slot, environment.practice.known_patient())


def _start_taken_by_desk(environment: BenchEnvironment) -> datetime:
    """Have the desk book the dentist's operatory at some start, and return that start."""
    start = environment.practice.separate_start()
    environment.practice.control.act_as_desk(
        do="book",
        operatory=OPERATORIES["oakland"][0],
        provider=DENTISTS["oakland"],
        patient=DESK_PATIENT_ID,
        start=start.isoformat(),
        duration=15,
    )
    return start


async def measure_surge_for_one_slot(environment: BenchEnvironment, number: int) -> Figures:
    """Many new patients request one slot at the same moment."""
    slot = FreeSlot("oakland", "checkup", environment.practice.day_starts("oakland")[8])
    return await _measure_surge(environment, [slot] * number)


async def measure_surge_for_one_day(environment: BenchEnvironment, number: int, openings: int) -> Figures:
    """Many new patients request slots of one day that has this many openings."""
    starts = environment.practice.day_starts("oakland")
    slots = [FreeSlot("oakland", service, start) for start in starts for service in ("checkup", "cleaning")]
    return await _measure_surge(environment, random.Random(7).choices(slots[:openings], k=number))


async def _measure_surge(environment: BenchEnvironment, requested_slots: Sequence[FreeSlot]) -> Figures:
    views: list[BookingView] = []
    before = Counter(environment.practice.control.call_counts()["ascend"])

    async def book(slot: FreeSlot) -> None:
        views.append(await environment.book(slot, environment.practice.new_patient()))

    work: list[Work] = [lambda s=slot: book(s) for slot in requested_slots]  # type: ignore[misc]
    result = await run_at_concurrency(work, len(requested_slots))
    calls = Counter(environment.practice.control.call_counts()["ascend"]) - before
    lost = [view for view in views if view.status is Status.NEEDS_STAFF and view.reason is Reason.SLOT_TAKEN]
    return {
        "requests": len(requested_slots),
        "openings": len({(slot.service, slot.start) for slot in requested_slots}),
        "held": sum(view.appointment_id is not None for view in views),
        "answered_with_alternatives": sum(bool(view.alternatives) for view in lost),
        "released": sum(n for name, n in calls.items() if name.startswith("DELETE")),
        "written": calls["POST /v1/appointments"],
        "calls": sum(calls.values()),
        "seconds": round(result.seconds, 1),
        "p50_ms": round(result.quantile_ms(0.5)),
        "p95_ms": round(result.quantile_ms(0.95)),
        "outcomes": dict(Counter(f"{view.status}:{view.reason or ''}" for view in views)),
    }


async def measure_quiet_location(
    environment: BenchEnvironment, number: int, quiet_number: int, interval_seconds: float
) -> Figures:
    """Latency at one location, alone and during a surge of ``number`` requests at another one of the same account."""
    alone = await run_at_interval(environment.prepare_bookings(quiet_number, "brooklyn"), interval_seconds)
    await _wait_until_quiet(environment, BOOKING)
    work = environment.prepare_bookings(quiet_number, "brooklyn")
    starts = environment.practice.day_starts("oakland")
    surge_slots = [FreeSlot("oakland", "checkup", starts[n % 8]) for n in range(number)]
    surge = asyncio.create_task(_measure_surge(environment, surge_slots))
    await asyncio.sleep(0.5)
    during_surge = await run_at_interval(work, interval_seconds)
    surge_outlasted_it = not surge.done()
    surge_figures = await surge
    return {
        "alone": _latency_figures(alone),
        "during_surge": _latency_figures(during_surge),
        "surge_seconds": surge_figures["seconds"],
        "surge_outlasted_it": surge_outlasted_it,
    }


async def measure_many_open_bookings(environment: BenchEnvironment, number: int, folder: Path, say: Say) -> Figures:
    """Memory, file sizes and the time to list the desk's queue, with this many confirmed bookings open at once."""
    started_at = time.perf_counter()
    memory = {0: _worker_megabytes(environment)}
    open_bookings = 0
    while open_bookings < number:
        result = await run_at_concurrency(environment.prepare_bookings(200), CONCURRENCY)
        open_bookings += len(result.latencies)
        environment.practice.control.reset()  # a full calendar would slow down the sandbox, which is not measured here
        memory[open_bookings] = _worker_megabytes(environment)
        rate = open_bookings / (time.perf_counter() - started_at)
        say(f"{open_bookings} bookings open, worker {memory[open_bookings]} MB, {rate:.1f} bookings/s")
    for _ in range(20):
        await _book_taken_slot(environment)
    list_times_ms = []
    for _ in range(5):
        listed_at = time.perf_counter()
        queue = await environment.bookings.find(open_exceptions=True)
        list_times_ms.append((time.perf_counter() - listed_at) * 1000)
    return {
        "open": open_bookings,
        "worker_mb_before": memory[0],
        "worker_mb": memory[open_bookings],
        "memory_mb": memory,
        "server_file_mb": round((folder / "temporal.db").stat().st_size / 1e6, 1),
        "server_mb": resident_megabytes(environment.process_ids()["temporal"]),
        "queue_length": queue.total,
        "queue_listed_ms": round(statistics.median(list_times_ms)),
    }


def _worker_megabytes(environment: BenchEnvironment) -> float:
    return resident_megabytes(environment.process_ids()["worker"])


def _prepare_work(environment: BenchEnvironment, name: str, number: int) -> list[Work]:
    if name == BOOKING:
        return list(environment.prepare_bookings(number))
    return [lambda: environment.run_bare(name)] * number


async def _wait_until_quiet(environment: BenchEnvironment, name: str) -> None:
    """Work that is left of one run must not disturb the next."""
    if name == BOOKING:
        await _wait_for_messages(environment)
    await asyncio.sleep(0.5)


async def _wait_for_messages(environment: BenchEnvironment) -> None:
    """Messages are sent in the background. Wait until no more are sent."""
    calls = -1
    while calls != (calls_now := environment.count_message_calls()):
        calls = calls_now
        await asyncio.sleep(0.4)
