"""Figures beside their budgets: JSON, a Markdown page and pictures."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import plots

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
BUDGETS: dict[str, tuple[str, str, float, bool]] = {
    "calls_per_booking": ("practice-system calls, known patient", "≤ 5", 5, True),
    "history_events": ("history events to `confirmed`", "≤ 45", 45, True),
    "throughput_ratio": ("throughput to `confirmed`, ratio to the bare workflow", "≥ 0.6", 0.6, False),
    "p95_ratio": ("p95 submit → decision, ratio to the bare workflow", "≤ 1.5", 1.5, True),
    "surge_held": ("500 at once for one slot: held", "1", 1, True),
    "surge_withdrawn": ("500 at once for one slot: writes taken back", "≤ 1", 1, True),
    "openings_ms": ("openings, 60 days × 12 operatories × 8 providers, 10,000 appointments", "≤ 50 ms", 50, True),
}
Figures = dict[str, Any]


def headline(figures: Figures) -> dict[str, float]:
    booking, bare = figures["compared"]["booking"], figures["compared"]["bare"]
    known = figures["kinds"]["known patient"]
    return {
        "throughput_ratio": round(booking["per_second"] / bare["per_second"], 2),
        "p95_ratio": round(booking["p95_ms"] / bare["p95_ms"], 2),
        "calls_per_booking": known["calls"],
        "history_events": known["events"],
        "actions_per_booking": known["actions"],
        "surge_held": figures["surge_slot"]["held"],
        "surge_answered_with_alternatives": figures["surge_slot"]["answered_with_alternatives"],
        "surge_withdrawn": figures["surge_slot"]["withdrawn"],
        "openings_ms": figures["openings"]["ms"],
    }


def machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    now = datetime.now(UTC)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (
        f"{now:%Y-%m-%d}, {platform.system()} {platform.machine()}, {cores} cores for everything together "
        f"(server, worker, sandbox and client), {memory:.0f} GB, Python {platform.python_version()}"
    )


def write(figures: Figures, docs: Path) -> None:
    """Rewrite what stands between the markers, and the pictures."""
    (docs / "performance").mkdir(parents=True, exist_ok=True)
    plots.draw(figures, docs / "performance")
    page = docs / "performance.md"
    before = page.read_text() if page.exists() else f"# Performance\n\n{BEGIN}\n{END}\n"
    head, _, rest = before.partition(BEGIN)
    _, _, tail = rest.partition(END)
    page.write_text(f"{head}{BEGIN}\n\n{_page(figures)}\n{END}{tail}")


def _page(figures: Figures) -> str:
    parts = [
        f"*{figures['machine']}.*",
        "## Against the budgets",
        _table(("figure", "measured", "budget", ""), _budget_rows(figures)),
        "## Beside the bare workflow",
        "![Latency and throughput beside the bare workflow](performance/compared.png)",
        _table(
            ("", "to a decision, a second", "p50 / p95, flat out", "p50 / p95, 4 a second", "CPU"), _compared(figures)
        ),
        "![Where the processor time of one booking goes](performance/cpu.png)",
        "## What a booking costs",
        _table(("kind", "ends", "practice-system calls", "history events", "Actions", "of which"), _kinds(figures)),
        "## Surges",
        _table(
            ("", "held", "answered with alternatives", "writes taken back", "calls", "all answered in", "p95"),
            [
                _surge("500 at once for one slot", figures["surge_slot"]),
                _surge("500 at once for a day with 60 openings", figures["surge_day"]),
            ],
        ),
        _quiet(figures["quiet"]),
        "## Worker processes",
        _table(
            ("processes", "bookings a second", "bare a second"),
            [[w["workers"], w["booking"], w["bare"]] for w in figures["workers"]],
        ),
        "![The quiet location's answers; throughput by worker processes](performance/quiet.png)",
    ]
    if "open" in figures:
        parts += ["## Many open bookings", _open(figures["open"])]
    return "\n\n".join(parts) + "\n"


def _budget_rows(figures: Figures) -> list[list[Any]]:
    rows = []
    for name, value in headline(figures).items():
        if name in BUDGETS:
            text, budget, limit, at_most = BUDGETS[name]
            kept = value <= limit if at_most else value >= limit
            rows.append([text, f"**{value:g}**", budget, "kept" if kept else "missed"])
    return rows


def _compared(figures: Figures) -> list[list[Any]]:
    names = {
        "booking": "a booking, known patient",
        "bare": "bare workflow",
        "bare-split": "bare, activities on a queue of their own",
        "bare-encrypted": "bare, encrypted",
    }
    return [
        [
            text,
            one["per_second"],
            f"{one['p50_ms_flat_out']} / {one['p95_ms_flat_out']} ms",
            f"{one['p50_ms']} / {one['p95_ms']} ms" if "p50_ms" in one else "",
            f"{sum(one['cpu_ms'].values()):.0f} ms",
        ]
        for name, text in names.items()
        for one in [figures["compared"][name]]
    ]


def _kinds(figures: Figures) -> list[list[Any]]:
    return [
        [
            name,
            kind["status"],
            kind["calls"],
            kind["events"],
            kind["actions"],
            ", ".join(f"{n} {what}" for what, n in kind["by_action"].items()),
        ]
        for name, kind in figures["kinds"].items()
    ]


def _surge(name: str, one: Figures) -> list[Any]:
    return [
        name,
        one["held"],
        one["answered_with_alternatives"],
        one["withdrawn"],
        one["calls"],
        f"{one['seconds']} s",
        f"{one['p95_ms'] / 1000:.1f} s",
    ]


def _quiet(one: Figures) -> str:
    alone, beside = one["alone"], one["beside"]
    return (
        f"While 250 requests surge at one location, another one of the same account that books every half second is "
        f"answered in {beside['p50_ms']} ms (p50) and {beside['p95_ms']} ms (p95); alone it takes "
        f"{alone['p50_ms']} and {alone['p95_ms']} ms."
    )


def _open(one: Figures) -> str:
    return (
        f"With {one['open']:,} confirmed bookings open one worker takes {one['worker_mb']:.0f} MB "
        f"({one['worker_mb_before']:.0f} MB before), the server {one['server_mb']:.0f} MB and its file "
        f"{one['server_file_mb']:.0f} MB; listing a queue of {one['queue_length']} takes {one['queue_listed_ms']} ms."
    )


def _table(head: tuple[str, ...], rows: list[list[Any]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
