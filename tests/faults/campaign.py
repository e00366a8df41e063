"""Many seeds, some side by side, each in a process of its own; and what they come to together."""

import asyncio
import json
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from demo.stack import ROOT, die_with_parent
from tests.faults.troubles import DECK
from tests.faults.unguarded import GUARDS

ENOUGH_FOR_ALL = 25
"""With so many seeds every kind of trouble must have happened."""
LASTS_AT_MOST = 420.0
Row = dict[str, Any]


async def one(seed: int, folder: Path, guard_off: str = "") -> Row:
    """One seed; a harness that broke down is a failure, never a pass."""
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


async def many(
    seeds: Sequence[int], at_once: int, folder: Path, done: Callable[[Row, str], None]
) -> tuple[list[Row], list[Row]]:
    """Results by seed, and those of the runs without a guard. What a good seed left behind is removed.

    ``done`` hears of each run, and which guard it went without.
    """
    slots = asyncio.Semaphore(at_once)

    async def played(seed: int, guard_off: str = "") -> Row:
        place = folder / (f"without-{guard_off}" if guard_off else f"seed-{seed}")
        async with slots:
            result = await one(seed, place, guard_off)
        done(result, guard_off)
        if good(result):
            shutil.rmtree(place, ignore_errors=True)
        return result

    controls = asyncio.gather(*(played(number, guard) for number, guard in enumerate(GUARDS)))
    results = await asyncio.gather(*(played(seed) for seed in seeds))
    return list(results), list(await controls)


def good(result: Row) -> bool:
    return not result.get("failure") and not result.get("violations")


def report(results: Sequence[Row], controls: Sequence[Row]) -> Row:
    """All numbers of a campaign; ``ok`` where nothing was found that must not be, and the judge can see."""
    sound = [result for result in results if not result.get("failure")]
    rules = Counter(violation["rule"] for result in sound for violation in result["violations"])
    fired: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    for result in sound:
        fired.update(result["fired"])
        outcomes.update(result["outcomes"])
    totals = {key: sum(result[key] for result in sound) for key in _TOTALS}
    settles = sorted(result["settle_seconds"] for result in sound)
    missing = sorted(set(DECK) - set(fired))
    failing = [result["seed"] for result in results if not good(result)]
    seen = all(bool(control.get("violations")) for control in controls)
    everything = len(results) < ENOUGH_FOR_ALL or not missing
    both_ways = len(results) < ENOUGH_FOR_ALL or (totals["adopted"] and totals["written_again"])
    return {
        "seeds": len(results),
        **totals,
        "outcomes": dict(outcomes),
        "faults_fired": dict(sorted(fired.items())),
        "never_fired": missing,
        "lost": rules["lost"],
        "duplicated": rules["duplicated"] + rules["leftover"],
        "overlaps": rules["overlap"],
        "violations": dict(rules),
        "failing_seeds": failing,
        "settle_p95_seconds": settles[int(0.95 * (len(settles) - 1))] if settles else None,
        "negative_control_failed": seen,
        "ok": bool(not failing and seen and everything and both_ways),
    }


_TOTALS = ("requests", "duplicate_messages", "ambiguous_outcomes", "adopted", "written_again", "overtaken")
