"""Draws the plots of docs/performance.md."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt

mpl.use("Agg")
BOOKING_COLOR, BARE_COLOR, PALE_COLOR, BUDGET_COLOR = "#0f6e84", "#8a96a3", "#c5ccd3", "#c2410c"
PART_COLORS = {"temporal": "#3b4a5a", "worker": BOOKING_COLOR, "sandbox": "#d9a441", "client": PALE_COLOR}
PART_LABELS = {
    "temporal": "Temporal server",
    "worker": "worker",
    "sandbox": "sandbox (stands in for the vendors)",
    "client": "client",
}
CONTESTANT_LABELS = {
    "booking": "booking",
    "bare": "bare",
    "bare-split": "bare,\nown queue",
    "bare-encrypted": "bare,\nencrypted",
}
STYLE: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": "#5b6670",
    "figure.dpi": 150,
    "legend.frameon": False,
}
Figures = dict[str, Any]


def draw_plots(figures: Figures, folder: Path) -> None:
    """Save one PNG file for each plot."""
    plots = {"compared": _comparison_plot, "cpu": _cpu_plot, "quiet": _quiet_location_plot}
    with plt.rc_context(STYLE):
        for name, draw in plots.items():
            figure = draw(figures)
            figure.savefig(folder / f"{name}.png", bbox_inches="tight")
            plt.close(figure)


def _comparison_plot(figures: Figures) -> Any:
    compared = figures["compared"]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), width_ratios=(2, 3))
    _draw_throughput(left, compared)
    _draw_latencies(right, compared)
    figure.tight_layout(w_pad=3)
    return figure


def _draw_throughput(axes: Any, compared: Figures) -> None:
    rates = [compared[name]["per_second"] for name in CONTESTANT_LABELS]
    colors = [BOOKING_COLOR, BARE_COLOR, PALE_COLOR, PALE_COLOR]
    bars = axes.bar(list(CONTESTANT_LABELS.values()), rates, color=colors, width=0.65)
    axes.bar_label(bars, fmt="%.1f", padding=3, bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})
    budget = 0.6 * compared["bare"]["per_second"]
    axes.axhline(budget, color=BUDGET_COLOR, linewidth=1, linestyle="--")
    next_to_axes = {"transform": axes.get_yaxis_transform(), "ha": "left", "va": "center"}
    axes.text(1.02, budget, "budget\n0.6 × bare", color=BUDGET_COLOR, fontsize=8, **next_to_axes)
    axes.margins(y=0.15)
    axes.tick_params(axis="x", labelsize=8)
    axes.set_title("Decisions per second, flat out")


def _draw_latencies(axes: Any, compared: Figures) -> None:
    for name, color in (("booking", BOOKING_COLOR), ("bare", BARE_COLOR)):
        _draw_distribution(axes, compared[name]["latencies_ms"], color, name)
    budget = 1.5 * compared["bare"]["p95_ms"]
    axes.plot([budget], [0.95], marker="v", color=BUDGET_COLOR, clip_on=False, zorder=5)
    note: Any = {"textcoords": "offset points", "color": BUDGET_COLOR, "fontsize": 8, "ha": "right"}
    axes.annotate("budget for p95\n1.5 × bare", (budget, 0.95), (-4, -24), **note)
    axes.axhline(0.95, color=PALE_COLOR, linewidth=0.8, zorder=0)
    axes.set_title("Submit → decision, 4 requests per second")
    _label_distribution(axes)
    axes.set_xlim(left=0)


def _draw_distribution(axes: Any, latencies: list[float], color: str, label: str) -> None:
    ordered = sorted(latencies)
    share = [(number + 1) / len(ordered) for number in range(len(ordered))]
    axes.step(ordered, share, where="post", color=color, label=label, linewidth=1.8)


def _label_distribution(axes: Any) -> None:
    axes.set_ylim(0, 1.02)
    axes.set_yticks([0, 0.5, 0.95], ["0%", "50%", "95%"])
    axes.set_ylabel("share of answers")
    axes.set_xlabel("milliseconds")
    axes.legend(loc="lower right")


def _cpu_plot(figures: Figures) -> Any:
    compared = figures["compared"]
    figure, axes = plt.subplots(figsize=(9, 2.4))
    names = list(reversed(CONTESTANT_LABELS))
    labels = [CONTESTANT_LABELS[name].replace("\n", " ") for name in names]
    left_edges = [0.0] * len(names)
    for part, part_label in PART_LABELS.items():
        values = [compared[name]["cpu_ms"].get(_part_of(name, part), 0) for name in names]
        bars = axes.barh(labels, values, left=left_edges, color=PART_COLORS[part], label=part_label, height=0.6)
        texts = [f"{value:.0f}" if value >= 4 else "" for value in values]
        axes.bar_label(bars, texts, label_type="center", color="white", fontsize=8)
        left_edges = [edge + value for edge, value in zip(left_edges, values, strict=True)]
    axes.set_title("CPU milliseconds per workflow, everything on the same cores")
    axes.legend(ncols=4, loc="upper center", bbox_to_anchor=(0.5, -0.12))
    figure.tight_layout()
    return figure


def _part_of(contestant: str, part: str) -> str:
    """The bare workflows have their own worker process, ``bare``."""
    return "bare" if part == "worker" and contestant != "booking" else part


def _quiet_location_plot(figures: Figures) -> Any:
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3), width_ratios=(3, 2))
    _draw_quiet_latencies(left, figures["quiet"])
    _draw_worker_counts(right, figures["workers"])
    figure.tight_layout(w_pad=3)
    return figure


def _draw_quiet_latencies(axes: Any, quiet: Figures) -> None:
    _draw_distribution(axes, quiet["alone"]["latencies_ms"], BARE_COLOR, "alone")
    surge_label = "during 250 requests\nat another location"
    _draw_distribution(axes, quiet["during_surge"]["latencies_ms"], BOOKING_COLOR, surge_label)
    axes.axhline(0.95, color=PALE_COLOR, linewidth=0.8, zorder=0)
    axes.set_title("Submit → decision at a quiet location")
    _label_distribution(axes)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.legend(loc="center")


def _draw_worker_counts(axes: Any, rows: list[Figures]) -> None:
    counts = [row["workers"] for row in rows]
    for name, color in (("booking", BOOKING_COLOR), ("bare", BARE_COLOR)):
        axes.plot(counts, [row[name] for row in rows], "o-", color=color, label=name)
    axes.set_title("Decisions per second")
    axes.set_xlabel("worker processes, on the same cores as the server")
    axes.set_xticks(counts)
    axes.set_ylim(bottom=0)
    axes.legend(loc="best")
