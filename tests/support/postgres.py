"""Runs a PostgreSQL server for tests, if one is installed."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from devstack import STARTUP_TIMEOUT, free_port


def find_postgres_binaries() -> Path | None:
    """The directory with the programs of the newest installed server."""
    servers = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    return servers[-1].parent if servers else None


@contextmanager
def running_postgres() -> Iterator[str]:
    """Run a server and yield its URL. Skips the test if no server is installed."""
    binaries = find_postgres_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL server is installed")
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 and shutil.which("runuser") else []
    home = Path(tempfile.mkdtemp(prefix="holdfast-postgres-"))  # other users cannot read pytest's own folders
    if as_user:
        shutil.chown(home, "postgres")
    port = free_port(0)
    data = home / "data"
    subprocess.run([*as_user, binaries / "initdb", "-A", "trust", "-U", "holdfast", "-D", data], check=True, stdout=-3)
    options = ["-D", str(data), "-p", str(port), "-h", "127.0.0.1", "-k", str(data)]
    server = subprocess.Popen([*as_user, str(binaries / "postgres"), *options], stdout=-3, stderr=-3)
    check_ready = [str(binaries / "pg_isready"), "-h", "127.0.0.1", "-p", str(port), "-t", "1"]
    try:
        deadline = time.monotonic() + STARTUP_TIMEOUT
        while subprocess.run(check_ready, stdout=-3).returncode != 0:  # returns at once while nobody listens
            assert server.poll() is None, "PostgreSQL exited before it was ready"
            assert time.monotonic() < deadline, "PostgreSQL did not start in time"
            time.sleep(0.1)
        yield f"postgresql://holdfast@127.0.0.1:{port}/postgres"
    finally:
        server.terminate()
        server.wait(timeout=20)
        shutil.rmtree(home)
