"""``python -m bench``: everything is measured on one server in one run, then written to docs/performance.md."""

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

from bench import measures, openings
from bench.ground import ground
from bench.report import headline, machine, write
from demo.stack import ROOT

DOCS = ROOT / "docs"


def main(
    as_json: Annotated[
        bool, typer.Option("--json", help="The last line on standard output is one JSON object.")
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Also 10,000 open bookings; takes a quarter of an hour more.")
    ] = False,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of each contestant, interleaved.")] = 4,
    number: Annotated[int, typer.Option(min=10, help="Bookings a round.")] = 60,
    docs: Annotated[Path, typer.Option(help="Folder whose performance.md and pictures are rewritten.")] = DOCS,
) -> None:
    """Measure, and write down what was measured."""
    console = Console(stderr=True, width=150)
    begun = time.monotonic()

    def say(text: str) -> None:
        console.print(f"[dim]{time.monotonic() - begun:4.0f} s[/]  {text}", highlight=False)

    figures = asyncio.run(_everything(rounds, number, full, say))
    say("drawing")
    write(figures, docs)
    say(f"written: {docs / 'performance.md'}")
    if as_json:
        print(json.dumps(headline(figures) | {"all": _without_raw(figures)}))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # the SDK's native threads may crash an orderly interpreter exit after all work is done


async def _everything(rounds: int, number: int, full: bool, say: measures.Say) -> dict[str, Any]:
    figures: dict[str, Any] = {"machine": machine()}
    say("openings")
    figures["openings"] = openings.measure()
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as name:
        folder = Path(name)
        async with ground(folder, say) as here:
            say("warming up")
            await measures.warm_up(here)
            say("what each kind of booking costs")
            figures["kinds"] = await measures.kinds(here)
            say("bookings beside bare workflows")
            compared = await measures.compare(here, rounds, number, say)
            figures["compared"] = {contestant: one.figures() for contestant, one in compared.items()}
            say("worker processes")
            figures["workers"] = await measures.by_workers(here, number, say)
            say("a quiet location beside a surge")
            figures["quiet"] = await measures.quiet_beside_surge(here, number=250, quiet=40, every=0.5)
            say("a surge of 500 for one slot")
            figures["surge_slot"] = await measures.surge_for_one_slot(here, 500)
            say("a surge of 500 for a day with 60 openings")
            figures["surge_day"] = await measures.surge_for_one_day(here, 500, 60)
            if full:
                say("10,000 open bookings")
                figures["open"] = await measures.many_open(here, 10_000, folder, say)
    return figures


def _without_raw(figures: Any) -> Any:
    if isinstance(figures, dict):
        return {name: _without_raw(value) for name, value in figures.items() if not name.endswith("latencies_ms")}
    return figures


if __name__ == "__main__":
    typer.run(main)
