"""Free ports, reserved so that two stacks on one machine never get the same one."""

import fcntl
import random
import socket
import tempfile
from pathlib import Path
from typing import IO

from devstack.processes import StackError

RANDOM_PORTS = range(20_000, 32_000)
"""Below the range that Linux gives to outgoing connections, which could take a port before we listen on it."""
MAX_ATTEMPTS = 200
_RESERVED: list[IO[str]] = []
"""Locked files, one for each port that this process has reserved. They stay locked as long as it lives."""


def free_port(preferred: int) -> int:
    """``preferred`` if it is free, else a random free port; 0 means no preference. Reserved while this process lives.

    Raises StackError.
    """
    for port in (preferred, *random.sample(RANDOM_PORTS, MAX_ATTEMPTS)):
        if port and _reserve(port):
            return port
    raise StackError("found no free port")


def _reserve(port: int) -> bool:
    lock = (Path(tempfile.gettempdir()) / f"holdfast-port-{port}").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
    except OSError:
        lock.close()
        return False
    _RESERVED.append(lock)
    return True
