"""``make faults SEEDS=n``: play many seeds, some at a time, and report what was lost, doubled or untrue: nothing."""

import asyncio
import json
import os
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from demo.stack import ROOT, die_with_parent
from tests.faults.troubles import DECK
from tests.faults.unguarded import GUARDS

ENOUGH_FOR_ALL = 25
"""With so many seeds every kind of trouble must have happened."""
LASTS_AT_MOST = 420.0
Row = dict[str, Any]


async def one(seed: int, folder: Path, guard_off: str = "") -> Row:
    """One seed in a process of its own; a harness that broke down is a failure, never a pass."""
    folder.mkdir(parents=True)
    command = [sys.executable, "-m", "tests.faults.run", str(seed), str(folder), *([guard_off] if guard_off else [])]
    with (folder / "harness.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, stdout=log, stderr=log, preexec_fn=die_with_parent
        )
        try:
            await asyncio.wait_for(process.wait(), LASTS_AT_MOST)
        except TimeoutError:
            process.kill()
            await process.wait()
    try:
        return dict(json.loads((folder / "result.json").read_text()))
    except (OSError, ValueError):
        return {"seed": seed, "failure": f"no result; see {folder}/harness.log"}


async def many(seeds: list[int], at_once: int, folder: Path, console: Console) -> tuple[list[Row], list[Row]]:
    """Results by seed, and those of the runs that must fail."""
    slots = asyncio.Semaphore(at_once)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("seeds", total=len(seeds) + len(GUARDS))

        async def played(seed: int, guard_off: str = "") -> Row:
            async with slots:
                result = await one(seed, folder / (f"control-{guard_off}" if guard_off else f"seed-{seed}"), guard_off)
            progress.advance(task)
            if not guard_off:
                progress.console.print(_line(result))
                if _good(result):
                    shutil.rmtree(folder / f"seed-{seed}", ignore_errors=True)
            return result

        controls = asyncio.gather(*(played(number, guard) for number, guard in enumerate(GUARDS)))
        results = await asyncio.gather(*(played(seed) for seed in seeds))
        return list(results), list(await controls)


def _good(result: Row) -> bool:
    return not result.get("failure") and not result.get("violations")


def _line(result: Row) -> str:
    if result.get("failure"):
        return f"[red]seed {result['seed']}: {result['failure']}[/]"
    if result["violations"]:
        what = "; ".join(f"{v['rule']} {v['subject']} {v['text']}" for v in result["violations"][:4])
        return f"[red]seed {result['seed']}: {what}[/]"
    fired = ", ".join(sorted(result["fired"]))
    return f"[dim]seed {result['seed']}: {sum(result['outcomes'].values())} bookings; {fired}[/]"


def report(results: list[Row], controls: list[Row]) -> Row:
    """All numbers of a run."""
    sound = [result for result in results if not result.get("failure")]
    rules = Counter(v["rule"] for result in sound for v in result["violations"])
    fired: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    for result in sound:
        fired.update(result["fired"])
        outcomes.update(result["outcomes"])

    def total(key: str) -> int:
        return sum(result[key] for result in sound)

    missing = sorted(set(DECK) - set(fired))
    settles = sorted(result["settle_seconds"] for result in sound)
    found = {
        "seeds": len(results),
        "requests": total("requests"),
        "outcomes": dict(outcomes),
        "faults_fired": dict(sorted(fired.items())),
        "never_fired": missing,
        "lost": rules["lost"],
        "duplicated": rules["duplicated"] + rules["leftover"],
        "overlaps": rules["overlap"],
        "duplicate_messages": total("duplicate_messages"),
        "ambiguous_outcomes": total("ambiguous_outcomes"),
        "adopted": total("adopted"),
        "written_again": total("rewritten"),
        "overtaken": total("overtaken"),
        "violations": dict(rules),
        "failing_seeds": [result["seed"] for result in results if not _good(result)],
        "settle_p95_seconds": settles[int(0.95 * (len(settles) - 1))] if settles else None,
        "negative_control_failed": all(bool(control.get("violations")) for control in controls),
    }
    everything = len(results) < ENOUGH_FOR_ALL or (not missing and found["adopted"] and found["written_again"])
    found["ok"] = bool(not found["failing_seeds"] and found["negative_control_failed"] and everything)
    return found


def show(console: Console, found: Row, folder: Path) -> None:
    table = Table(title=f"{found['seeds']} seeds, {found['requests']} requests", title_justify="left")
    for column in ("", "count", "allowed"):
        table.add_column(column, justify="left" if not column else "right")
    for status, count in sorted(found["outcomes"].items()):
        table.add_row(f"ended {status}", str(count), "")
    table.add_section()
    for key in ("lost", "duplicated", "overlaps"):
        table.add_row(key, _judged(found[key], 0), "0")
    for rule, count in sorted(found["violations"].items()):
        if rule not in ("lost", "duplicated", "leftover", "overlap"):
            table.add_row(rule, _judged(count, 0), "0")
    table.add_row(
        "duplicate messages", str(found["duplicate_messages"]), f"lost answers: {found['ambiguous_outcomes']}"
    )
    table.add_section()
    table.add_row("lost write found again", str(found["adopted"]), "")
    table.add_row("lost write written again", str(found["written_again"]), "")
    table.add_row("staff edits overtaken in the vendor's window", str(found["overtaken"]), "")
    table.add_row("settled within, 95 %", f"{found['settle_p95_seconds']} s", "")
    failed = found["negative_control_failed"]
    table.add_row("runs without a guard fail", "[green]yes[/]" if failed else "[red]no[/]", "yes")
    table.add_section()
    for name, count in found["faults_fired"].items():
        table.add_row(name, str(count), "")
    console.print(table)
    if found["never_fired"]:
        console.print(f"Never happened: {', '.join(found['never_fired'])}.")
    for seed in found["failing_seeds"]:
        console.print(
            f"[red]Seed {seed} failed.[/] Again: make faults ARGS='--seed {seed}'. Left behind: {folder}/seed-{seed}",
            soft_wrap=True,
        )


def _judged(count: int, allowed: int) -> str:
    return f"[green]{count}[/]" if count <= allowed else f"[red]{count}[/]"


def main(
    seeds: Annotated[int, typer.Option(help="So many seeds, from --first.")] = 25,
    first: Annotated[int, typer.Option(help="The first seed.")] = 1,
    seed: Annotated[list[int] | None, typer.Option(help="Only this seed; may be given several times.")] = None,
    at_once: Annotated[int, typer.Option(help="Seeds that run side by side.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object as the last line.")] = False,
) -> None:
    """Play seeds of trouble against the real parts; exits 1 where anything was lost, doubled or untrue."""
    console = Console(stderr=as_json)
    console.width = max(console.width, 110)
    folder = Path(tempfile.mkdtemp(prefix="holdfast-faults-"))
    chosen = seed or list(range(first, first + seeds))
    results, controls = asyncio.run(many(chosen, at_once, folder, console))
    found = report(results, controls)
    show(console, found, folder)
    if as_json:
        print(json.dumps(found))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0 if found["ok"] else 1)


if __name__ == "__main__":
    typer.run(main)
