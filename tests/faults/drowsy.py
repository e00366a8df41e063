"""The real worker, which falls asleep around the fence, or over a row it has read to change it, where it finds a note
that says so; the harness wakes it.

Two things that mostly save us are left out here, because nobody may rely on them: that a sleeper wakes to an answer
that is overdue, and that it hears at once of its cancellation. It goes on with its write as if no time had passed.
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
from runtime.process import run_until_told

DROWSY = (sys.executable, "-m", "tests.faults.drowsy")
BEFORE, AFTER, BEFORE_EDIT = "sleep-before-the-fence", "sleep-after-the-fence", "sleep-before-an-edit"
"""Notes, in the folder of a worker's state; whoever takes it away sleeps."""


def fall_asleep_at_the_fence() -> None:
    asserted, place = Claims.begin_write, HoldActivities._send

    async def between_sleeps(*given: Any) -> None:
        _sleep_if_told(BEFORE)
        await asserted(*given)
        _sleep_if_told(AFTER)

    async def deaf(*given: Any) -> Any:
        return await asyncio.shield(place(*given))

    Claims.begin_write = between_sleeps  # type: ignore[method-assign, assignment]
    HoldActivities._send = deaf  # type: ignore[method-assign, assignment]


def fall_asleep_over_a_row() -> None:
    read, write = AppointmentEditor._read_to_write, AppointmentEditor._write

    async def then_sleeps(*given: Any) -> Any:
        seen = await read(*given)
        _sleep_if_told(BEFORE_EDIT)
        return seen

    async def deaf(*given: Any) -> Any:
        return await asyncio.shield(write(*given))

    AppointmentEditor._read_to_write = then_sleeps  # type: ignore[method-assign, assignment]
    AppointmentEditor._write = deaf  # type: ignore[method-assign, assignment]


def _sleep_if_told(note: str) -> None:
    try:
        Path(os.environ["STATE_DIR"], note).unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGSTOP)


if __name__ == "__main__":
    fall_asleep_at_the_fence()
    fall_asleep_over_a_row()
    run_until_told(worker.run)
