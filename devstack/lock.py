"""A lock on a state directory, so that two stacks never use the same one."""

import fcntl
from pathlib import Path
from typing import IO

from devstack.processes import StackError


def lock_directory(directory: Path) -> IO[str]:
    """The lock, held until the file is closed or this process ends. Creates the directory. Raises StackError."""
    directory.mkdir(parents=True, exist_ok=True)
    lock = (directory / "stack.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise StackError(f"a stack is already running on {directory}; stop it first") from None
    return lock
