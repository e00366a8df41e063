"""The negative control: the same worker with one guard taken out, so that the judge has something to find.

``python -m tests.faults.unguarded GUARD`` runs the real worker without that guard. Only tests can do this.
"""

import sys
from dataclasses import replace
from typing import Any

import worker
from activities.holds import HoldActivities
from adapters.ascend import AscendSystem
from runtime.process import run_until_told
from tests.faults.plan import Plan, Wish
from tests.faults.troubles import DECKS, Trouble

UNGUARDED = (sys.executable, "-m", "tests.faults.unguarded")
GUARDS = (("ascend", "search"), ("ascend", "read_back"), ("nexhealth", "read_back"))
"""By connection."""


async def _nothing_found(*_: Any) -> list[Any]:
    return []


async def _believed(_self: Any, _site: Any, _given: Any, placed: Any) -> tuple[Any, tuple[()]]:
    return placed, ()


def without(guard: str) -> None:
    if guard == "search":
        AscendSystem.find_by_reference = _nothing_found  # type: ignore[method-assign, assignment]
    else:
        HoldActivities._read_back = _believed  # type: ignore[method-assign, assignment]


def control_plan(seed: int, connection: str, guard: str) -> Plan:
    """Requests that do not compete, under the very trouble against which the guard stands."""
    clocks = ("08:00", "09:00", "10:00", "11:00", "12:00", "13:00")
    wishes = tuple(
        Wish(request_id=f"c{seed}-{number}", at=0.3 * number, service="consult", clock=clock, person=number)
        for number, clock in enumerate(clocks)
    )
    if guard == "search":
        troubles = [Trouble("write committed late", "write", script="late_commit", seconds=4.0, times=3)]
    else:
        name = "desk books before landing" if connection == "nexhealth" else "desk books before write"
        troubles = [replace(DECKS[connection][name].trouble, name=name)]
    return Plan(seed, connection, workers=1, known=tuple(range(len(clocks))), wishes=wishes, troubles=tuple(troubles))


if __name__ == "__main__":
    without(sys.argv[1])
    run_until_told(worker.run)
