"""The negative control: the same worker with one guard taken out, so that the judge has something to find.

``python -m tests.faults.unguarded GUARD`` runs the real worker without that guard. Only tests can do this.
"""

import sys
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import worker
from activities.connections import Site
from activities.holds import HoldActivities
from adapters.ascend import AscendSystem, edits
from adapters.ledger import Action, Attempt, ClaimLost, Claims, MessageLedger
from runtime.process import run_until_told
from tests.faults.drowsy import fall_asleep_at_the_fence, fall_asleep_over_a_row
from tests.faults.plan import Plan, Wish
from tests.faults.troubles import DECKS, Trouble

UNGUARDED = (sys.executable, "-m", "tests.faults.unguarded")
GUARDS = (
    ("ascend", "search"),
    ("ascend", "read_back"),
    ("nexhealth", "read_back"),
    ("ascend", "fence"),
    ("ascend", "memory"),
    ("ascend", "reading"),
)
"""By connection."""


async def _nothing_found(*_: Any) -> list[Any]:
    return []


async def _believed(_self: Any, _site: Any, _given: Any, placed: Any) -> tuple[Any, tuple[()]]:
    return placed, ()


_asserted, _begun = Claims.begin_write, MessageLedger.begin_attempt


async def _waved_through(*given: Any) -> None:
    with suppress(ClaimLost):
        await _asserted(*given)


async def _never_begun(*given: Any) -> Attempt:
    return (await _begun(*given)).model_copy(update={"action": Action.SEND})


def without(guard: str) -> None:
    if guard == "search":
        AscendSystem.find_by_reference = _nothing_found  # type: ignore[method-assign, assignment]
    elif guard == "read_back":
        HoldActivities._read_back = _believed  # type: ignore[method-assign, assignment]
    elif guard == "reading":
        edits.MAX_READ_AGE = timedelta(hours=1)
    elif guard == "fence":
        Claims.begin_write = _waved_through  # type: ignore[method-assign, assignment]
        Site.send_within = timedelta(hours=1)  # type: ignore[method-assign, assignment]
    else:
        MessageLedger.begin_attempt = _never_begun  # type: ignore[method-assign, assignment]


def control_plan(seed: int, connection: str, guard: str) -> Plan:
    """Requests that do not compete, under the very trouble against which the guard stands."""
    clocks = ("08:00", "09:00", "10:00", "11:00", "12:00", "13:00")
    wishes = tuple(
        Wish(request_id=f"c{seed}-{number}", at=0.3 * number, service="consult", clock=clock, person=number)
        for number, clock in enumerate(clocks)
    )
    if guard == "search":
        troubles = [Trouble("write committed late", "write", script="late_commit", seconds=4.0, times=3)]
    elif guard == "fence":
        return _slept_over(seed, "sleep_before", cancelled_after=6.0)
    elif guard == "reading":
        return _slept_over(seed, "sleep_over_row", cancelled_after=22.0)
    elif guard == "memory":
        troubles = [Trouble("email 5xx after", "email", script="status_after", times=18, extra={"status": 503})]
    else:
        name = "desk books before landing" if connection == "nexhealth" else "desk books before write"
        troubles = [replace(DECKS[connection][name].trouble, name=name)]
    return Plan(seed, connection, workers=1, known=tuple(range(len(clocks))), wishes=wishes, troubles=tuple(troubles))


def _slept_over(seed: int, deed: str, cancelled_after: float) -> Plan:
    """A worker falls asleep before its write, or over a row that another then confirms, until the booking is long
    cancelled. Another booking, when all are awake, has its calls in the measure of two.
    """
    first = Wish(request_id=f"c{seed}-0", at=0, service="consult", clock="08:00", person=0)
    second = replace(first, request_id=f"c{seed}-1", at=32.0, clock="10:00", person=1)
    wishes = (replace(first, then="cancel", after=cancelled_after), second)
    troubles = (Trouble("asleep", deed=deed, seconds=28.0),)
    return Plan(seed, "ascend", workers=2, known=(0, 1), wishes=wishes, troubles=troubles)


if __name__ == "__main__":
    without(sys.argv[1])
    fall_asleep_at_the_fence()
    fall_asleep_over_a_row()
    run_until_told(worker.run)
