"""The real worker, which falls asleep around the fence where it finds a note that says so; the harness wakes it.

A process that is stopped from outside while it waits for an answer wakes to an answer that is overdue, and gives up.
What a sleeper is to show is the other thing: that it goes on, as if no time had passed.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import worker
from adapters.ledger import Claims
from runtime.process import run_until_told

DROWSY = (sys.executable, "-m", "tests.faults.drowsy")
BEFORE, AFTER = "sleep-before-the-fence", "sleep-after-the-fence"
"""Notes, in the folder of a worker's state; whoever takes it away sleeps."""


def fall_asleep_at_the_fence() -> None:
    asserted = Claims.begin_write

    async def between_sleeps(*given: Any) -> None:
        _sleep_if_told(BEFORE)
        await asserted(*given)
        _sleep_if_told(AFTER)

    Claims.begin_write = between_sleeps  # type: ignore[method-assign, assignment]


def _sleep_if_told(note: str) -> None:
    try:
        Path(os.environ["STATE_DIR"], note).unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGSTOP)


if __name__ == "__main__":
    fall_asleep_at_the_fence()
    run_until_told(worker.run)
