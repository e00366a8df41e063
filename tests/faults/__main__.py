"""``make faults SEEDS=n``: play many seeds and report what was lost, doubled or untrue: nothing."""

import asyncio
import json
import os
import sys
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.faults.campaign import Row, good, guards, many, report

JUDGED = ("lost", "duplicated", "overlaps")
COUNTED_AS = ("lost", "duplicated", "leftover", "overlap")
"""Rules that those count."""


class Connection(StrEnum):
    ASCEND = "ascend"
    NEXHEALTH = "nexhealth"
    BOTH = "both"


def _line(result: Row) -> str:
    """How one seed went."""
    if result.get("failure"):
        return f"[red]seed {result['seed']}: {result['failure']}[/]"
    if not good(result):
        what = "; ".join(f"{v['rule']} {v['subject']} {v['text']}" for v in result["violations"][:4])
        return f"[red]seed {result['seed']}: {what}[/]"
    name = f"seed {result['seed']}, {result['connection']}"
    return f"[dim]{name}: {sum(result['outcomes'].values())} bookings; {', '.join(result['fired'])}[/]"


async def _play(seeds: list[int], connection: str, at_once: int, folder: Path, console: Console) -> Row:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("seeds", total=len(seeds) + len(guards(connection)))

        def done(result: Row, guard_off: str) -> None:
            progress.advance(task)
            if not guard_off:
                progress.console.print(_line(result))

        return report(*await many(seeds, at_once, folder, done, connection))


def _show(console: Console, found: Row, folder: Path, only: str) -> None:
    table = Table(title=f"{found['seeds']} seeds, {found['requests']} requests", title_justify="left")
    table.add_column("")
    table.add_column("count", justify="right")
    table.add_column("allowed", justify="right")
    for status, count in sorted(found["outcomes"].items()):
        table.add_row(f"ended {status}", str(count), "")
    table.add_section()
    for rule, count in _judgements(found).items():
        table.add_row(rule, _judged(count), "0")
    table.add_row("duplicate messages", str(found["duplicate_messages"]), f"lost answers: {found['unknown_sends']}")
    seen = found["negative_control_failed"]
    table.add_row("runs without a guard fail", "[green]yes[/]" if seen else "[red]no[/]", "yes")
    table.add_section()
    table.add_row("answers lost, of writes and messages", str(found["ambiguous_outcomes"]), "")
    table.add_row("lost write found again", str(found["adopted"]), "")
    table.add_row("lost write written again", str(found["written_again"]), "")
    table.add_row("desk's edit unseen by any reading, overtaken", str(found["overtaken"]), "")
    table.add_row("settled within, 95 %", f"{found['settle_p95_seconds']} s", "")
    table.add_row("seeds on PostgreSQL", str(found["on_postgres"]), "")
    table.add_section()
    for kind, numbers in found["connections"].items():
        judged = ", ".join(f"{key} {numbers[key]}" for key in JUDGED)
        table.add_row(f"{kind}: seeds", str(numbers["seeds"]), judged)
        for name, count in numbers["seen"].items():
            table.add_row(f"{kind}: {name}", str(count), "")
    table.add_section()
    for name, count in found["faults_fired"].items():
        table.add_row(name, str(count), "")
    console.print(table)
    for kind, missing in found["never_happened"].items():
        console.print(f"Never happened, {kind}: {', '.join(missing)}.")
    for control in found["unseen_controls"]:
        console.print(f"[red]The judge saw nothing in the run without a guard: {control}.[/]")
    for seed in found["failing_seeds"]:
        again = f"make faults ARGS='--seed {seed}{f' --connection {only}' if only else ''}'"
        console.print(f"[red]Seed {seed} failed.[/] Again: {again}. Left behind: {folder}/seed-{seed}", soft_wrap=True)


def _judgements(found: Row) -> Row:
    """By rule: the three that matter most always, others where they found something."""
    others = {rule: count for rule, count in sorted(found["violations"].items()) if rule not in COUNTED_AS}
    return {key: found[key] for key in JUDGED} | others


def _judged(count: int) -> str:
    return f"[red]{count}[/]" if count else f"[green]{count}[/]"


def main(
    seeds: Annotated[int, typer.Option(help="So many seeds, from --first.")] = 25,
    connection: Annotated[Connection, typer.Option(help="Whom to book with; both take turns.")] = Connection.BOTH,
    first: Annotated[int, typer.Option(help="The first seed.")] = 1,
    seed: Annotated[list[int] | None, typer.Option(help="Only this seed; may be given several times.")] = None,
    at_once: Annotated[int, typer.Option(help="Seeds that run side by side.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object as the last line.")] = False,
) -> None:
    """Play seeds of trouble against the real parts; exits 1 where anything was lost, doubled or untrue."""
    console = Console(stderr=as_json)
    console.width = max(console.width, 110)
    folder = Path(tempfile.mkdtemp(prefix="holdfast-faults-"))
    only = "" if connection is Connection.BOTH else connection.value
    chosen = list(dict.fromkeys(seed or range(first, first + seeds)))
    found = asyncio.run(_play(chosen, only, at_once, folder, console))
    _show(console, found, folder, only)
    if as_json:
        print(json.dumps(found))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0 if found["ok"] else 1)


if __name__ == "__main__":
    typer.run(main)
