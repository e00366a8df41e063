"""The pictures of docs/performance.md."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt

mpl.use("Agg")
OURS, FLOOR, PALE, LIMIT = "#0f6e84", "#8a96a3", "#c5ccd3", "#c2410c"
PARTS = {"temporal": "#3b4a5a", "worker": OURS, "bare": OURS, "sandbox": "#d9a441", "client": PALE}
NAMES = {"booking": "booking", "bare": "bare", "bare-split": "bare,\nown queue", "bare-encrypted": "bare,\nencrypted"}
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


def draw(figures: Figures, folder: Path) -> None:
    with plt.rc_context(STYLE):
        for name, picture in {"compared": _compared, "cpu": _cpu, "quiet": _quiet}.items():
            figure = picture(figures)
            figure.savefig(folder / f"{name}.png", bbox_inches="tight")
            plt.close(figure)


def _compared(figures: Figures) -> Any:
    found = figures["compared"]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), width_ratios=(2, 3))
    rates = [found[name]["per_second"] for name in NAMES]
    bars = left.bar(list(NAMES.values()), rates, color=[OURS, FLOOR, PALE, PALE], width=0.65)
    left.bar_label(bars, fmt="%.1f", padding=3, bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})
    budget = 0.6 * found["bare"]["per_second"]
    left.axhline(budget, color=LIMIT, linewidth=1, linestyle="--")
    beside = {"transform": left.get_yaxis_transform(), "ha": "left", "va": "center"}
    left.text(1.02, budget, "budget\n0.6 × bare", color=LIMIT, fontsize=8, **beside)
    left.margins(y=0.15)
    left.tick_params(axis="x", labelsize=8)
    left.set_title("To a decision, a second (flat out)")
    for name, colour in (("booking", OURS), ("bare", FLOOR)):
        _distribution(right, found[name]["latencies_ms"], colour, name)
    limit = 1.5 * found["bare"]["p95_ms"]
    right.plot([limit], [0.95], marker="v", color=LIMIT, clip_on=False, zorder=5)
    note: Any = {"textcoords": "offset points", "color": LIMIT, "fontsize": 8, "ha": "right"}
    right.annotate("budget for p95\n1.5 × bare", (limit, 0.95), (-4, -24), **note)
    right.axhline(0.95, color=PALE, linewidth=0.8, zorder=0)
    right.set_title("Submit → decision, 4 requests a second")
    _percent(right)
    right.set_xlim(left=0)
    figure.tight_layout(w_pad=3)
    return figure


def _distribution(axes: Any, latencies: list[float], colour: str, label: str) -> None:
    ordered = sorted(latencies)
    share = [(number + 1) / len(ordered) for number in range(len(ordered))]
    axes.step(ordered, share, where="post", color=colour, label=label, linewidth=1.8)


def _percent(axes: Any) -> None:
    axes.set_ylim(0, 1.02)
    axes.set_yticks([0, 0.5, 0.95], ["0 %", "50 %", "95 %"])
    axes.set_ylabel("answered within")
    axes.set_xlabel("milliseconds")
    axes.legend(loc="lower right")


def _cpu(figures: Figures) -> Any:
    found = figures["compared"]
    figure, axes = plt.subplots(figsize=(9, 2.4))
    names = list(reversed(NAMES))
    left = [0.0] * len(names)
    for part, label in (
        ("temporal", "Temporal server"),
        ("worker", "worker"),
        ("sandbox", "sandbox (the vendor's side)"),
        ("client", "client"),
    ):
        values = [
            found[name]["cpu_ms"].get("bare" if part == "worker" and name != "booking" else part, 0) for name in names
        ]
        bars = axes.barh(
            [NAMES[name].replace("\n", " ") for name in names],
            values,
            left=left,
            color=PARTS[part],
            label=label,
            height=0.6,
        )
        axes.bar_label(
            bars,
            [f"{value:.0f}" if value >= 4 else "" for value in values],
            label_type="center",
            color="white",
            fontsize=8,
        )
        left = [at + value for at, value in zip(left, values, strict=True)]
    axes.set_title("Processor milliseconds for one, everything on the same cores")
    axes.legend(ncols=4, loc="upper center", bbox_to_anchor=(0.5, -0.12))
    figure.tight_layout()
    return figure


def _quiet(figures: Figures) -> Any:
    found, workers = figures["quiet"], figures["workers"]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3), width_ratios=(3, 2))
    _distribution(left, found["alone"]["latencies_ms"], FLOOR, "alone")
    _distribution(left, found["beside"]["latencies_ms"], OURS, "beside 250 requests\nat another location")
    left.axhline(0.95, color=PALE, linewidth=0.8, zorder=0)
    left.set_title("A quiet location's answers")
    _percent(left)
    left.set_xscale("log")
    left.xaxis.set_major_formatter("{x:g}")
    left.legend(loc="center")
    for name, colour in (("booking", OURS), ("bare", FLOOR)):
        right.plot([w["workers"] for w in workers], [w[name] for w in workers], "o-", color=colour, label=name)
    right.set_title("To a decision, a second")
    right.set_xlabel("worker processes, on the same cores as the server")
    right.set_xticks([w["workers"] for w in workers])
    right.set_ylim(bottom=0)
    right.legend(loc="best")
    figure.tight_layout(w_pad=3)
    return figure
