"""A campaign: many seeds, some at once, each in its own process, and the report about all of them."""

import asyncio
import json
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from devstack import ROOT, die_with_parent
from tests.faults.fault_catalog import CATALOGS
from tests.faults.negative_controls import NEGATIVE_CONTROLS, NegativeControl

FULL_COVERAGE_SEEDS = 25
"""With this many seeds on a connection, every fault and every recovery must have occurred there."""
SEED_TIMEOUT = 420.0
"""Seconds."""
Result = dict[str, Any]
"""A ``SeedResult`` as JSON. Negative controls have ``removed_guard`` as well."""
Report = dict[str, Any]
OnResult = Callable[[Result], None]


async def run_seed(seed: int, folder: Path, connection: str = "", removed_guard: str = "") -> Result:
    """Run one seed in its own process. If the harness fails, so does the seed: it never passes."""
    folder.mkdir(parents=True)
    command = [sys.executable, "-m", "tests.faults.seed_run", str(seed), str(folder), connection]
    command += [removed_guard] if removed_guard else []
    with (folder / "harness.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, stdout=log, stderr=log, preexec_fn=die_with_parent
        )
        try:
            await asyncio.wait_for(process.wait(), SEED_TIMEOUT)
        except TimeoutError:
            process.kill()
            await process.wait()
    try:
        return dict(json.loads((folder / "result.json").read_text()))
    except (OSError, ValueError):
        return {"seed": seed, "harness_failure": f"no result; see {folder}/harness.log"}


async def run_campaign(
    seeds: Sequence[int], parallel: int, folder: Path, on_result: OnResult, connection: str = ""
) -> tuple[list[Result], list[Result]]:
    """Run seeds and negative controls. Returns the results of the seeds and those of the controls.

    With ``connection`` all seeds run on it; otherwise each runs on its own. The files of a seed that passed are
    deleted.
    """
    slots = asyncio.Semaphore(parallel)

    async def run(seed: int, connection: str, removed_guard: str = "") -> Result:
        name = f"{connection}-without-{removed_guard}" if removed_guard else f"seed-{seed}"
        async with slots:
            result = await run_seed(seed, folder / name, connection, removed_guard)
        result["removed_guard"] = removed_guard
        on_result(result)
        if passed(result):
            shutil.rmtree(folder / name, ignore_errors=True)
        return result

    controls = select_controls(connection)
    control_results = asyncio.gather(*(run(number, *control) for number, control in enumerate(controls)))
    results = await asyncio.gather(*(run(seed, connection) for seed in seeds))
    return list(results), list(await control_results)


def select_controls(connection: str = "") -> list[NegativeControl]:
    """The negative controls of one connection, or all."""
    return [control for control in NEGATIVE_CONTROLS if connection in ("", control.connection)]


def passed(result: Result) -> bool:
    return not result.get("harness_failure") and not result.get("violations")


def make_report(results: Sequence[Result], controls: Sequence[Result]) -> Report:
    """The numbers of a campaign. ``ok`` if no invariant was violated, all controls were noticed, all was covered."""
    complete = [result for result in results if not result.get("harness_failure")]
    names = sorted({result["connection"] for result in complete})
    connections = {
        name: _summarize([r for r in complete if r["connection"] == name], set(CATALOGS[name])) for name in names
    }
    not_covered = {name: gaps for name, summary in connections.items() if (gaps := _find_gaps(summary))}
    failing_seeds = [result["seed"] for result in results if not passed(result)]
    unnoticed = [str(control.get("removed_guard")) for control in controls if not control.get("violations")]
    return {
        **_summarize(complete, {fault for name in names for fault in CATALOGS[name]}),
        "seeds": len(results),
        "connections": connections,
        "not_covered": not_covered,
        "failing_seeds": failing_seeds,
        "unnoticed_controls": unnoticed,
        "negative_control_failed": not unnoticed,
        "ok": not (failing_seeds or unnoticed or not_covered),
    }


def _summarize(results: Sequence[Result], faults: Collection[str]) -> Report:
    rules = Counter(violation["rule"] for result in results for violation in result["violations"])
    settle_seconds = sorted(result["settle_seconds"] for result in results)
    faults_fired, coverage = _add_up(results, "faults_fired"), _add_up(results, "coverage")
    return {
        "seeds": len(results),
        **{key: sum(result[key] for result in results) for key in SUMMED_KEYS},
        "bookings_by_status": dict(_add_up(results, "bookings_by_status")),
        "faults_fired": dict(sorted(faults_fired.items())),
        "faults_never_fired": sorted(set(faults) - set(faults_fired)),
        "coverage": {name: coverage[name] for result in results[:1] for name in result["coverage"]},
        "lost": rules["lost"],
        "duplicated": rules["duplicated"] + rules["leftover"],
        "overlaps": rules["overlap"],
        "violations": dict(rules),
        "settle_p95_seconds": settle_seconds[int(0.95 * (len(settle_seconds) - 1))] if settle_seconds else None,
    }


def _add_up(results: Sequence[Result], key: str) -> Counter[str]:
    return sum((Counter(result[key]) for result in results), Counter[str]())


def _find_gaps(summary: Report) -> list[str]:
    """What should have occurred on a connection in this many seeds and did not. Nothing is proven about it then."""
    if summary["seeds"] < FULL_COVERAGE_SEEDS:
        return []
    required = {
        "unanswered write found": summary["unanswered_writes_found"],
        "unanswered write repeated": summary["unanswered_writes_repeated"],
        **summary["coverage"],
    }
    return [*summary["faults_never_fired"], *(name for name, count in required.items() if not count)]


SUMMED_KEYS = (
    "requests",
    "on_postgres",
    "duplicate_messages",
    "unknown_sends",
    "ambiguous_outcomes",
    "unanswered_writes_found",
    "unanswered_writes_repeated",
    "unseen_edits_overwritten",
)
