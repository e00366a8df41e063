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
from tests.faults.troubles import DECKS
from tests.faults.unguarded import GUARDS

ENOUGH_FOR_ALL = 25
"""With so many seeds on a connection every kind of trouble must have happened there, and met its answer."""
LASTS_AT_MOST = 420.0
Row = dict[str, Any]


async def one(seed: int, folder: Path, connection: str = "", guard_off: str = "") -> Row:
    """One seed; a harness that broke down is a failure, never a pass."""
    folder.mkdir(parents=True)
    command = [sys.executable, "-m", "tests.faults.run", str(seed), str(folder), connection]
    command += [guard_off] if guard_off else []
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
    seeds: Sequence[int], at_once: int, folder: Path, done: Callable[[Row, str], None], connection: str = ""
) -> tuple[list[Row], list[Row]]:
    """Results by seed, and those of the runs without a guard. What a good seed left behind is removed.

    ``connection``: play all seeds on this one, instead of each on its own. ``done`` hears
    of each run, and which guard it went without.
    """
    slots = asyncio.Semaphore(at_once)

    async def played(seed: int, connection: str, guard_off: str = "") -> Row:
        place = folder / (f"{connection}-without-{guard_off}" if guard_off else f"seed-{seed}")
        async with slots:
            result = await one(seed, place, connection, guard_off) | {"guard_off": guard_off}
        done(result, guard_off)
        if good(result):
            shutil.rmtree(place, ignore_errors=True)
        return result

    chosen = guards(connection)
    controls = asyncio.gather(*(played(number, *guard) for number, guard in enumerate(chosen)))
    results = await asyncio.gather(*(played(seed, connection) for seed in seeds))
    return list(results), list(await controls)


def guards(connection: str = "") -> list[tuple[str, str]]:
    """The runs without a guard that belong to this connection, or to all."""
    return [guard for guard in GUARDS if connection in ("", guard[0])]


def good(result: Row) -> bool:
    return not result.get("failure") and not result.get("violations")


def report(results: Sequence[Row], controls: Sequence[Row]) -> Row:
    """All numbers of a campaign; ``ok`` where nothing was found that must not be, and the judge can see."""
    sound = [result for result in results if not result.get("failure")]
    kinds = sorted({result["connection"] for result in sound})
    connections = {kind: _numbers([r for r in sound if r["connection"] == kind], set(DECKS[kind])) for kind in kinds}
    due = {kind: missing for kind, found in connections.items() if (missing := _missing(found))}
    failing = [result["seed"] for result in results if not good(result)]
    unseen = [str(control.get("guard_off")) for control in controls if not control.get("violations")]
    return {
        **_numbers(sound, {name for kind in kinds for name in DECKS[kind]}),
        "seeds": len(results),
        "connections": connections,
        "never_happened": due,
        "failing_seeds": failing,
        "unseen_controls": unseen,
        "negative_control_failed": not unseen,
        "ok": not (failing or unseen or due),
    }


def _numbers(results: Sequence[Row], deck: set[str]) -> Row:
    """What seeds come to together."""
    rules = Counter(violation["rule"] for result in results for violation in result["violations"])
    counts = {key: sum((Counter(r[key]) for r in results), Counter[str]()) for key in ("fired", "outcomes", "seen")}
    settles = sorted(result["settle_seconds"] for result in results)
    return {
        "seeds": len(results),
        **{key: sum(result[key] for result in results) for key in _TOTALS},
        "outcomes": dict(counts["outcomes"]),
        "faults_fired": dict(sorted(counts["fired"].items())),
        "never_fired": sorted(deck - set(counts["fired"])),
        "seen": {name: counts["seen"][name] for result in results[:1] for name in result["seen"]},
        "lost": rules["lost"],
        "duplicated": rules["duplicated"] + rules["leftover"],
        "overlaps": rules["overlap"],
        "violations": dict(rules),
        "settle_p95_seconds": settles[int(0.95 * (len(settles) - 1))] if settles else None,
    }


def _missing(found: Row) -> list[str]:
    """What should have happened to this connection in so many seeds, and did not: then nothing is proven about it."""
    if found["seeds"] < ENOUGH_FOR_ALL:
        return []
    both_ways = {"a lost write found again": found["adopted"], "a lost write written again": found["written_again"]}
    return [*found["never_fired"], *(name for name, count in {**both_ways, **found["seen"]}.items() if not count)]


_TOTALS = (
    "requests",
    "on_postgres",
    "duplicate_messages",
    "unknown_sends",
    "ambiguous_outcomes",
    "adopted",
    "written_again",
    "overtaken",
)
