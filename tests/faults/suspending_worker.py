"""The real worker, which suspends itself with SIGSTOP at a race point when the nemesis asks for it.

The race points are just before and just after the fence of a hold's write, and between the read of an appointment and
the update that follows from it. The nemesis requests a suspension with a file in the state folder and resumes the
worker later.

Two things that usually protect a resumed worker are disabled here, because no guarantee may rest on them: an overdue
answer to the call it waited for, and the immediate cancellation of its activity. The worker goes on with its write as
if no time had passed.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import worker
from activities.holds import HoldActivities
from adapters.ascend.edits import AppointmentEditor
from adapters.ledger import Claims
from runtime.process import run_until_stopped

SUSPENDING_WORKER = (sys.executable, "-m", "tests.faults.suspending_worker")
BEFORE_FENCE, AFTER_FENCE, BEFORE_EDIT = "suspend-before-fence", "suspend-after-fence", "suspend-before-edit"
"""File names of requests. The first worker that reaches the race point deletes the file and suspends itself."""


def suspend_at_fence() -> None:
    begin_write, place = Claims.begin_write, HoldActivities._send

    async def begin_write_with_suspensions(*args: Any) -> None:
        _suspend_if_requested(BEFORE_FENCE)
        await begin_write(*args)
        _suspend_if_requested(AFTER_FENCE)

    async def place_uncancelled(*args: Any) -> Any:
        return await asyncio.shield(place(*args))

    Claims.begin_write = begin_write_with_suspensions  # type: ignore[method-assign, assignment]
    HoldActivities._send = place_uncancelled  # type: ignore[method-assign, assignment]


def suspend_before_edit() -> None:
    read, write = AppointmentEditor._read_to_write, AppointmentEditor._write

    async def read_then_suspend(*args: Any) -> Any:
        reading = await read(*args)
        _suspend_if_requested(BEFORE_EDIT)
        return reading

    async def write_uncancelled(*args: Any) -> Any:
        return await asyncio.shield(write(*args))

    AppointmentEditor._read_to_write = read_then_suspend  # type: ignore[method-assign, assignment]
    AppointmentEditor._write = write_uncancelled  # type: ignore[method-assign, assignment]


def _suspend_if_requested(request: str) -> None:
    try:
        Path(os.environ["STATE_DIR"], request).unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGSTOP)


if __name__ == "__main__":
    suspend_at_fence()
    suspend_before_edit()
    run_until_stopped(worker.run)
