"""A process of ours: settings, logs, signals, and an exit code that says why."""

import asyncio
import os
import resource
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import NoReturn

import uvloop

from adapters.ledger import LedgerUnavailable
from adapters.practice_file import PracticeFileError
from runtime.logs import configure_logging
from settings import ConfigurationError, Settings, load_settings

Run = Callable[[Settings, asyncio.Event], Awaitable[None]]


def run_until_told(run: Run) -> NoReturn:
    """Run until SIGTERM or SIGINT sets the event.

    Exit codes: 0 done, 1 Temporal or the ledger unreachable or an address taken, 2 wrong settings.
    """
    keep_to_ourselves()
    code = uvloop.run(_run(run))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # the SDK's native threads may crash an orderly interpreter exit after all work is done


def keep_to_ourselves() -> None:
    """What this process writes, its own user alone can read.

    Patients and keys are in its memory: should it crash, no image of that is written anywhere.
    """
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


async def _run(run: Run) -> int:
    try:
        settings = load_settings()
        configure_logging(settings.log_format, settings.log_level)
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await run(settings, stop)
    except (ConfigurationError, PracticeFileError) as wrong:
        print(wrong, file=sys.stderr)
        return 2
    except (ConnectionError, LedgerUnavailable) as unreachable:
        print(unreachable, file=sys.stderr)
        return 1
    return 0
