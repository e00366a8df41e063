"""A PostgreSQL server of our own, where one is installed."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from demo.stack import STARTS_WITHIN, free_port


def installed() -> Path | None:
    """Where the newest server's programs are."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    return found[-1].parent if found else None


@contextmanager
def running_postgres() -> Iterator[str]:
    """Its URL. Skips the test where no server is installed."""
    binaries = installed()
    if binaries is None:
        pytest.skip("no PostgreSQL server is installed")
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 and shutil.which("runuser") else []
    home = Path(tempfile.mkdtemp(prefix="holdfast-postgres-"))  # pytest's own folders are closed to other users
    if as_user:
        shutil.chown(home, "postgres")
    port = free_port(0)
    data = home / "data"
    subprocess.run([*as_user, binaries / "initdb", "-A", "trust", "-U", "holdfast", "-D", data], check=True, stdout=-3)
    place = ["-D", str(data), "-p", str(port), "-h", "127.0.0.1", "-k", str(data)]
    server = subprocess.Popen([*as_user, str(binaries / "postgres"), *place], stdout=-3, stderr=-3)
    ready = [str(binaries / "pg_isready"), "-h", "127.0.0.1", "-p", str(port), "-t", "1"]
    try:
        end = time.monotonic() + STARTS_WITHIN
        while subprocess.run(ready, stdout=-3).returncode != 0:  # where nobody listens yet, it says so at once
            assert server.poll() is None, "the server ended before it was up"
            assert time.monotonic() < end, "the server did not come up"
            time.sleep(0.1)
        yield f"postgresql://holdfast@127.0.0.1:{port}/postgres"
    finally:
        server.terminate()
        server.wait(timeout=20)
        shutil.rmtree(home)
