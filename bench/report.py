"""Reports the figures against their budgets: as JSON, and as a Markdown page with plots."""

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from textwrap import fill
from typing import Any, NamedTuple

from bench.plots import draw_plots

PROSE_COLUMNS = 100

BEGIN_MARKER, END_MARKER = "<!-- measured: begin -->", "<!-- measured: end -->"
Figures = dict[str, Any]


class Budget(NamedTuple):
    label: str
    limit: float
    is_maximum: bool
    text: str

    def is_met(self, value: float) -> bool:
        return value <= self.limit if self.is_maximum else value >= self.limit


BUDGETS = {
    "calls_per_booking": Budget("practice-system calls for a known patient", 5, True, "≤ 5"),
    "history_events": Budget("history events until `confirmed`", 45, True, "≤ 45"),
    "throughput_ratio": Budget("throughput until `confirmed`, ratio to the bare workflow", 0.6, False, "≥ 0.6"),
    "p95_ratio": Budget("p95 of submit → decision, ratio to the bare workflow", 1.5, True, "≤ 1.5"),
    "surge_held": Budget("500 requests at once for one slot: held", 1, True, "1"),
    "surge_withdrawn": Budget("500 requests at once for one slot: holds released", 1, True, "≤ 1"),
    "openings_ms": Budget(
        "computing openings: 60 days, 12 operatories, 8 providers, 10,000 appointments", 50, True, "≤ 50 ms"
    ),
}


def headline(figures: Figures) -> dict[str, float]:
    """The figures that have budgets, and a few more, under their public names."""
    booking, bare = figures["compared"]["booking"], figures["compared"]["bare"]
    known_patient = figures["kinds"]["known patient"]
    return {
        "throughput_ratio": round(booking["per_second"] / bare["per_second"], 2),
        "p95_ratio": round(booking["p95_ms"] / bare["p95_ms"], 2),
        "calls_per_booking": known_patient["calls"],
        "history_events": known_patient["events"],
        "actions_per_booking": known_patient["actions"],
        "surge_held": figures["surge_slot"]["held"],
        "surge_answered_with_alternatives": figures["surge_slot"]["answered_with_alternatives"],
        "surge_withdrawn": figures["surge_slot"]["released"],
        "openings_ms": figures["openings"]["ms"],
    }


def describe_machine() -> str:
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    today = datetime.now(UTC)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (
        f"{today:%Y-%m-%d}, {platform.system()} {platform.machine()}, {cores} cores shared by server, worker, sandbox "
        f"and client, {memory_gb:.0f} GB, Python {platform.python_version()}"
    )


def write_report(figures: Figures, docs: Path) -> None:
    """Rewrite performance.md between its markers, and the plots."""
    (docs / "performance").mkdir(parents=True, exist_ok=True)
    draw_plots(figures, docs / "performance")
    page = docs / "performance.md"
    text = page.read_text() if page.exists() else f"# Performance\n\n{BEGIN_MARKER}\n{END_MARKER}\n"
    head, _, rest = text.partition(BEGIN_MARKER)
    _, _, tail = rest.partition(END_MARKER)
    page.write_text(f"{head}{BEGIN_MARKER}\n\n{_measured_part(figures)}\n{END_MARKER}{tail}")


def _measured_part(figures: Figures) -> str:
    parts = [
        f"*{figures['machine']}.*",
        "## Against the budgets",
        _table(("figure", "measured", "budget", ""), _budget_rows(figures)),
        "## Against the bare workflow",
        "![Latency and throughput, compared with the bare workflow](performance/compared.png)",
        _table(
            ("", "decisions per second", "p50 / p95, flat out", "p50 / p95, 4 per second", "CPU"),
            _comparison_rows(figures["compared"]),
        ),
        "![Where the CPU time of one booking goes](performance/cpu.png)",
        "## The cost of a booking",
        _table(
            ("kind", "ends as", "practice-system calls", "history events", "Actions", "Actions by kind"),
            _cost_rows(figures["kinds"]),
        ),
        "## Surges",
        _table(
            ("", "held", "answered with alternatives", "holds released", "calls", "all answered in", "p95"),
            [
                _surge_row("500 requests at once for one slot", figures["surge_slot"]),
                _surge_row("500 requests at once for a day with 60 openings", figures["surge_day"]),
            ],
        ),
        fill(_quiet_location_text(figures["quiet"]), PROSE_COLUMNS),
        "## Worker processes",
        _table(
            ("processes", "bookings per second", "bare workflows per second"),
            [[row["workers"], row["booking"], row["bare"]] for row in figures["workers"]],
        ),
        "![Latency at a quiet location; throughput by worker processes](performance/quiet.png)",
    ]
    if "open" in figures:
        parts += ["## Many open bookings", fill(_open_bookings_text(figures["open"]), PROSE_COLUMNS)]
    return "\n\n".join(parts) + "\n"


def _budget_rows(figures: Figures) -> list[list[Any]]:
    rows = []
    for name, value in headline(figures).items():
        budget = BUDGETS.get(name)
        if budget is not None:
            rows.append([budget.label, f"**{value:g}**", budget.text, "met" if budget.is_met(value) else "missed"])
    return rows


def _comparison_rows(compared: Figures) -> list[list[Any]]:
    labels = {
        "booking": "booking of a known patient",
        "bare": "bare workflow",
        "bare-split": "bare workflow, activities on their own queue",
        "bare-encrypted": "bare workflow, encrypted",
    }
    return [_comparison_row(label, compared[name]) for name, label in labels.items()]


def _comparison_row(label: str, contestant: Figures) -> list[Any]:
    steady = f"{contestant['p50_ms']} / {contestant['p95_ms']} ms" if "p50_ms" in contestant else ""
    return [
        label,
        contestant["per_second"],
        f"{contestant['p50_ms_flat_out']} / {contestant['p95_ms_flat_out']} ms",
        steady,
        f"{sum(contestant['cpu_ms'].values()):.0f} ms",
    ]


def _cost_rows(kinds: Figures) -> list[list[Any]]:
    return [
        [
            name,
            cost["status"],
            cost["calls"],
            cost["events"],
            cost["actions"],
            ", ".join(f"{count} {kind}" for kind, count in cost["by_action"].items()),
        ]
        for name, cost in kinds.items()
    ]


def _surge_row(label: str, surge: Figures) -> list[Any]:
    return [
        label,
        surge["held"],
        surge["answered_with_alternatives"],
        surge["released"],
        surge["calls"],
        f"{surge['seconds']} s",
        f"{surge['p95_ms'] / 1000:.1f} s",
    ]


def _quiet_location_text(quiet: Figures) -> str:
    alone, during_surge = quiet["alone"], quiet["during_surge"]
    return (
        f"During a surge of 250 requests at one location, another location of the same account books every half "
        f"second. It gets its answers in {during_surge['p50_ms']} ms (p50) and {during_surge['p95_ms']} ms (p95). "
        f"Alone, it gets them in {alone['p50_ms']} and {alone['p95_ms']} ms."
    )


def _open_bookings_text(figures: Figures) -> str:
    return (
        f"With {figures['open']:,} confirmed bookings open, one worker uses {figures['worker_mb']:.0f} MB "
        f"({figures['worker_mb_before']:.0f} MB before). The server uses {figures['server_mb']:.0f} MB, and its file "
        f"has {figures['server_file_mb']:.0f} MB. Listing a queue of {figures['queue_length']} takes "
        f"{figures['queue_listed_ms']} ms."
    )


def _table(head: Sequence[str], rows: list[list[Any]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
