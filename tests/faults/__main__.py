"""``make faults SEEDS=n``: run a campaign and report it. Nothing may be lost, duplicated or untrue."""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.faults.campaign import Report, Result, make_report, passed, run_campaign, select_controls

MAIN_COUNTS = ("lost", "duplicated", "overlaps")
"""Reported always. Violations of other rules are reported only if there are any."""
RULES_IN_MAIN_COUNTS = ("lost", "duplicated", "leftover", "overlap")
INDENT = (0, 0, 0, 4)
MAX_VIOLATIONS_SHOWN = 4


class Connection(StrEnum):
    ASCEND = "ascend"
    NEXHEALTH = "nexhealth"
    BOTH = "both"


def _print_result(console: Console, result: Result) -> None:
    """One seed: a heading, and below it what fired or what is wrong."""
    seed = f"seed {result['seed']}"
    if result.get("harness_failure"):
        console.print(f"[red]{seed}: the test harness failed[/]")
        console.print(Padding(result["harness_failure"], INDENT))
        return
    bookings = sum(result["bookings_by_status"].values())
    if passed(result):
        console.print(f"{seed}, {result['connection']}: {bookings} bookings, passed")
        console.print(Padding(f"[dim]{', '.join(result['faults_fired'])}[/]", INDENT))
        return
    console.print(f"[red]{seed}, {result['connection']}: {bookings} bookings, FAILED[/]")
    for violation in result["violations"][:MAX_VIOLATIONS_SHOWN]:
        text = f"{violation['rule']}: {violation['subject']} {violation['text']}"
        console.print(Padding(text, INDENT))


async def _run(seeds: list[int], connection: str, parallel: int, folder: Path, console: Console) -> Report:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("seeds and controls", total=len(seeds) + len(select_controls(connection)))

        def on_result(result: Result) -> None:
            progress.advance(task)
            if not result["removed_guard"]:
                _print_result(progress.console, result)

        return make_report(*await run_campaign(seeds, parallel, folder, on_result, connection))


def _print_report(console: Console, report: Report, folder: Path, connection: str) -> None:
    table = Table(title=f"{report['seeds']} seeds, {report['requests']} requests", title_justify="left")
    table.add_column("")
    table.add_column("count", justify="right")
    table.add_column("allowed", justify="right")
    for section in (_status_rows, _violation_rows, _recovery_rows, _connection_rows, _fault_rows):
        for label, count, allowed in section(report):
            table.add_row(label, count, allowed)
        table.add_section()
    console.print(table)
    for name, gaps in report["not_covered"].items():
        console.print(f"Never occurred on {name}: {', '.join(gaps)}.")
    for control in report["unnoticed_controls"]:
        console.print(f"[red]The checker found nothing wrong without this guard: {control}.[/]")
    for seed in report["failing_seeds"]:
        option = f" --connection {connection}" if connection else ""
        console.print(f"[red]Seed {seed} failed.[/] Its files: {folder}/seed-{seed}", soft_wrap=True)
        console.print(f"    Run it again: make faults ARGS='--seed {seed}{option}'", soft_wrap=True)


Rows = Iterator[tuple[str, str, str]]


def _status_rows(report: Report) -> Rows:
    for status, count in sorted(report["bookings_by_status"].items()):
        yield f"bookings {status}", str(count), ""


def _violation_rows(report: Report) -> Rows:
    others = {rule: n for rule, n in sorted(report["violations"].items()) if rule not in RULES_IN_MAIN_COUNTS}
    for rule, count in ({key: report[key] for key in MAIN_COUNTS} | others).items():
        yield rule, f"[red]{count}[/]" if count else f"[green]{count}[/]", "0"
    yield "duplicate messages", str(report["duplicate_messages"]), f"{report['unknown_sends']} lost answers"
    noticed = report["negative_control_failed"]
    yield "negative controls fail", "[green]yes[/]" if noticed else "[red]no[/]", "yes"


def _recovery_rows(report: Report) -> Rows:
    yield "lost answers to writes and sends", str(report["ambiguous_outcomes"]), ""
    yield "unanswered writes found", str(report["unanswered_writes_found"]), ""
    yield "unanswered writes repeated", str(report["unanswered_writes_repeated"]), ""
    yield "unseen desk edits overwritten", str(report["unseen_edits_overwritten"]), ""
    yield "95th percentile of settle time", f"{report['settle_p95_seconds']} s", ""
    yield "seeds on PostgreSQL", str(report["on_postgres"]), ""


def _connection_rows(report: Report) -> Rows:
    for name, numbers in report["connections"].items():
        yield f"{name}: seeds", str(numbers["seeds"]), ""
        for key in MAIN_COUNTS:
            yield f"{name}: {key}", str(numbers[key]), "0"
        for situation, count in numbers["coverage"].items():
            yield f"{name}: {situation}", str(count), ""


def _fault_rows(report: Report) -> Rows:
    yield "[bold]faults fired[/]", "", ""
    for name, count in report["faults_fired"].items():
        yield name, str(count), ""


def main(
    seeds: Annotated[int, typer.Option(help="Number of seeds, counted from --first.")] = 25,
    connection: Annotated[
        Connection, typer.Option(help="The connection to book with; 'both' alternates by seed.")
    ] = Connection.BOTH,
    first: Annotated[int, typer.Option(help="The first seed.")] = 1,
    seed: Annotated[list[int] | None, typer.Option(help="Run only this seed; may be repeated.")] = None,
    at_once: Annotated[int, typer.Option(help="Number of seeds that run in parallel.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")] = False,
) -> None:
    """Run seeds of faults against the real processes. Exits 1 if anything was lost, duplicated or untrue."""
    console = Console(stderr=as_json)
    folder = Path(tempfile.mkdtemp(prefix="holdfast-faults-"))
    only = "" if connection is Connection.BOTH else connection.value
    chosen_seeds = list(dict.fromkeys(seed or range(first, first + seeds)))
    report = asyncio.run(_run(chosen_seeds, only, at_once, folder, console))
    _print_report(console, report, folder, only)
    if as_json:
        print(json.dumps(report))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0 if report["ok"] else 1)  # the SDK's native threads may crash an orderly interpreter exit


if __name__ == "__main__":
    typer.run(main)
