"""``python -m bench``: measure everything on one server in one run, then write docs/performance.md."""

import asyncio
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from bench import measurements
from bench.environment import bench_environment
from bench.openings import measure_openings
from bench.report import describe_machine, headline, write_report
from devstack import ROOT

DOCS = ROOT / "docs"
SURGE_REQUESTS = 500


def main(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the figures as one JSON object on the last line of standard output.")
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Also measure 10,000 open bookings. Takes about 15 minutes more.")
    ] = False,
    rounds: Annotated[int, typer.Option(min=1, help="How many rounds the contestants take turns for.")] = 4,
    number: Annotated[int, typer.Option(min=10, help="How many bookings each round has.")] = 60,
    docs: Annotated[Path, typer.Option(help="Folder in which performance.md and its plots are rewritten.")] = DOCS,
) -> None:
    """Measure a booking against a bare workflow, and write the results to docs/performance.md."""
    console = Console(stderr=True)
    started_at = time.monotonic()

    def say(text: str) -> None:
        console.print(f"[dim]{time.monotonic() - started_at:4.0f} s[/]  {text}", highlight=False)

    figures = asyncio.run(_measure_everything(rounds, number, full, say))
    say("Drawing the plots")
    write_report(figures, docs)
    say(f"Wrote {docs / 'performance.md'}")
    if as_json:
        print(json.dumps(headline(figures) | {"all": _without_raw_latencies(figures)}))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # the SDK's native threads can crash a normal interpreter exit


async def _measure_everything(rounds: int, number: int, full: bool, say: measurements.Say) -> dict[str, Any]:
    figures: dict[str, Any] = {"machine": describe_machine()}
    say("Computing openings")
    figures["openings"] = measure_openings()
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as name:
        folder = Path(name)
        async with bench_environment(folder, say) as environment:
            say("Warming up")
            await measurements.warm_up(environment)
            say("Cost of each kind of booking")
            figures["kinds"] = await measurements.measure_cost_by_kind(environment)
            say("Bookings against bare workflows")
            comparisons = await measurements.compare(environment, rounds, number, say)
            figures["compared"] = {contestant: one.figures() for contestant, one in comparisons.items()}
            say("Number of worker processes")
            figures["workers"] = await measurements.compare_worker_counts(environment, number, say)
            say("A quiet location during a surge at another one")
            figures["quiet"] = await measurements.measure_quiet_location(
                environment, number=250, quiet_number=40, interval_seconds=0.5
            )
            say(f"Surge of {SURGE_REQUESTS} requests for one slot")
            figures["surge_slot"] = await measurements.measure_surge_for_one_slot(environment, SURGE_REQUESTS)
            say(f"Surge of {SURGE_REQUESTS} requests for a day with 60 openings")
            figures["surge_day"] = await measurements.measure_surge_for_one_day(environment, SURGE_REQUESTS, 60)
            if full:
                say("10,000 open bookings")
                figures["open"] = await measurements.measure_many_open_bookings(environment, 10_000, folder, say)
    return figures


def _without_raw_latencies(figures: Any) -> Any:
    if isinstance(figures, dict):
        return {
            name: _without_raw_latencies(value) for name, value in figures.items() if not name.endswith("latencies_ms")
        }
    return figures


if __name__ == "__main__":
    typer.run(main)
