"""Run one of our processes: settings, logs, signals, and an exit code that says why it ended."""

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
from runtime.http_server import AddressUnavailable
from runtime.logs import configure_logging
from settings import ConfigurationError, Settings, load_settings

Run = Callable[[Settings, asyncio.Event], Awaitable[None]]
"""Runs until the event is set."""


def run_until_stopped(run: Run) -> NoReturn:
    """Run until SIGTERM or SIGINT sets the event, then exit the process.

    Exit codes: 0 done; 1 Temporal or the ledger is unreachable; 2 wrong settings, or an address that cannot be listened
    on.
    """
    harden_process()
    code = uvloop.run(_run(run))
    sys.stdout.flush()
    sys.stderr.flush()
    # Skip the interpreter's own shutdown: the SDK's native threads may crash it after all work is done.
    os._exit(code)


def harden_process() -> None:
    """Make new files readable by this user only, and disable core dumps, which would hold patient data and keys."""
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
    except (ConfigurationError, PracticeFileError, AddressUnavailable) as error:
        print(error, file=sys.stderr)
        return 2
    except (ConnectionError, LedgerUnavailable) as error:
        print(error, file=sys.stderr)
        return 1
    return 0
