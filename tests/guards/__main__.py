"""``python -m tests.guards [--quick] [WORD …]``: take guards out of a copy, and report which ones no test misses.

A WORD selects the guards whose name or file contains it. Exit codes: 0 every removal was noticed, 1 not.
"""

import argparse
import json
import time

from tests.guards.guard_table import Guard, read_guards, staleness
from tests.guards.removals import PYTEST_PASSED, Verdict, copied_tree, run_tests, try_without

OUTPUT_TAIL = 2000
"""Characters of pytest's output that are shown when something is wrong."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.guards", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only those that CI runs with every change")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("words", nargs="*", help="only guards whose name or file contains one of these")
    arguments = parser.parse_args()
    guards = [g for g in read_guards() if _is_selected(g, arguments.words, arguments.quick)]
    verdicts = _judge(guards)
    failures = [name for name, verdict in verdicts.items() if verdict is not Verdict.NOTICED]
    print(f"{len(guards)} guards, {len(failures)} of them not missed by their tests")
    if arguments.json:
        print(json.dumps({"guards": len(guards), "verdicts": verdicts, "ok": not failures and bool(guards)}))
    return 1 if failures or not guards else 0


def _is_selected(guard: Guard, words: list[str], quick: bool) -> bool:
    text = f"{guard.name} {guard.file}".lower()
    return (guard.quick or not quick) and (not words or any(word.lower() in text for word in words))


def _judge(guards: list[Guard]) -> dict[str, Verdict]:
    verdicts: dict[str, Verdict] = {}
    with copied_tree() as tree:
        stale = {guard.name: problem for guard in guards if (problem := staleness(guard, tree))}
        usable = [guard for guard in guards if guard.name not in stale]
        for name, problem in stale.items():
            verdicts[name] = _report(name, Verdict.BROKEN, problem, 0)
        # Every test must pass with all guards in place, or its failure would prove nothing.
        code, output = run_tests(tree, sorted({test for guard in usable for test in guard.tests}))
        if usable and code != PYTEST_PASSED:
            return verdicts | {g.name: _report(g.name, Verdict.BROKEN, output, 0) for g in usable[:1]}
        for guard in usable:
            started_at = time.monotonic()
            verdict, output = try_without(guard, tree)
            verdicts[guard.name] = _report(guard.name, verdict, output, time.monotonic() - started_at)
    return verdicts


def _report(name: str, verdict: Verdict, output: str, seconds: float) -> Verdict:
    print(f"{verdict:9} {seconds:5.1f} s  {name}", flush=True)
    if verdict is not Verdict.NOTICED:
        print(output[-OUTPUT_TAIL:], flush=True)
    return verdict


if __name__ == "__main__":
    raise SystemExit(main())
