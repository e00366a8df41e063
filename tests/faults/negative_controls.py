"""The negative controls: workers with one guard removed. If the checker finds nothing wrong then, it proves nothing.

``python -m tests.faults.negative_controls GUARD`` runs the real worker without that guard. Only tests can do this.
"""

import sys
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any, NamedTuple

import worker
from activities.connections import Site
from activities.holds import HoldActivities
from adapters.ascend import AscendSystem, edits
from adapters.ledger import Action, Attempt, ClaimLost, Claims, MessageLedger
from runtime.process import run_until_stopped
from tests.faults.fault_catalog import CATALOGS, Fault
from tests.faults.plan import Plan, PlannedRequest
from tests.faults.suspending_worker import suspend_at_fence, suspend_before_edit

UNGUARDED_WORKER = (sys.executable, "-m", "tests.faults.negative_controls")


class NegativeControl(NamedTuple):
    connection: str
    guard: str


NEGATIVE_CONTROLS = (
    NegativeControl("ascend", "search_before_retry"),
    NegativeControl("ascend", "read_back"),
    NegativeControl("nexhealth", "read_back"),
    NegativeControl("ascend", "fence"),
    NegativeControl("ascend", "send_record"),
    NegativeControl("ascend", "read_expiry"),
)


async def _find_nothing(*_: Any) -> list[Any]:
    return []


async def _trust_the_answer(_self: Any, _site: Any, _input: Any, written: Any) -> tuple[Any, tuple[()]]:
    return written, ()


_begin_write, _begin_message = Claims.begin_write, MessageLedger.begin_attempt


async def _ignore_lost_claim(*args: Any) -> None:
    with suppress(ClaimLost):
        await _begin_write(*args)


async def _always_send(*args: Any) -> Attempt:
    return (await _begin_message(*args)).model_copy(update={"action": Action.SEND})


def remove_guard(guard: str) -> None:
    if guard == "search_before_retry":
        AscendSystem.find_by_reference = _find_nothing  # type: ignore[method-assign, assignment]
        AscendSystem.find_by_patients = _find_nothing  # type: ignore[method-assign, assignment]
    elif guard == "read_back":
        HoldActivities._read_back_and_settle = _trust_the_answer  # type: ignore[method-assign, assignment]
    elif guard == "read_expiry":
        edits.MAX_READ_AGE = timedelta(hours=1)
    elif guard == "fence":
        Claims.begin_write = _ignore_lost_claim  # type: ignore[method-assign, assignment]
        Site.send_within = timedelta(hours=1)  # type: ignore[method-assign, assignment]
    elif guard == "send_record":
        MessageLedger.begin_attempt = _always_send  # type: ignore[method-assign, assignment]
    else:
        raise ValueError(f"no guard is called {guard}")


def make_control_plan(seed: int, connection: str, guard: str) -> Plan:
    """Requests that do not compete, under exactly the fault that the guard protects against."""
    if guard == "fence":
        return _make_suspension_plan(seed, "suspend_before_fence", cancel_after=6.0)
    if guard == "read_expiry":
        return _make_suspension_plan(seed, "suspend_before_edit", cancel_after=22.0)
    start_times = ("08:00", "09:00", "10:00", "11:00", "12:00", "13:00")
    requests = tuple(
        PlannedRequest(f"c{seed}-{number}", 0.3 * number, service="consult", start_time=start_time, person=number)
        for number, start_time in enumerate(start_times)
    )
    if guard == "search_before_retry":
        fault = Fault("late write commit", "write", sandbox_fault="late_commit", seconds=4.0, times=3)
    elif guard == "send_record":
        options = {"status": 503}
        fault = Fault("email 5xx after send", "email", sandbox_fault="status_after", times=18, sandbox_options=options)
    else:
        name = "desk booking before landing" if connection == "nexhealth" else "desk booking before write"
        fault = CATALOGS[connection][name].fault
    people = tuple(range(len(start_times)))
    return Plan(seed, connection, worker_count=1, people_with_chart=people, requests=requests, faults=(fault,))


def _make_suspension_plan(seed: int, action: str, cancel_after: float) -> Plan:
    """A worker is suspended before its write until long after the booking was cancelled.

    With ``suspend_before_edit`` another worker confirms the booking in between. The second booking starts when all
    workers run again, so that there are calls of two requests to measure.
    """
    first = PlannedRequest(f"c{seed}-0", start_after=0, service="consult", start_time="08:00", person=0)
    second = replace(first, request_id=f"c{seed}-1", start_after=32.0, start_time="10:00", person=1)
    requests = (replace(first, follow_up="cancel", follow_up_delay=cancel_after), second)
    faults = (Fault("worker suspended", action=action, seconds=28.0),)
    return Plan(seed, "ascend", worker_count=2, people_with_chart=(0, 1), requests=requests, faults=faults)


if __name__ == "__main__":
    remove_guard(sys.argv[1])
    suspend_at_fence()
    suspend_before_edit()
    run_until_stopped(worker.run)
