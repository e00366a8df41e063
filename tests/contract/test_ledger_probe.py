"""The ledger's probe fails while what we write does not reach the disk, or not the file that others read."""

import resource
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.ledger import Ledger, LedgerUnavailable
from tests.support.postgres import running_postgres


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    (tmp_path / "disk").mkdir()
    ledger = Ledger(f"sqlite:///{tmp_path}/disk/ledger.db")
    await ledger.migrate()
    await ledger.probe()
    yield ledger
    await ledger.close()


async def test_probe_fails_while_the_disk_is_away(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "disk").rename(tmp_path / "elsewhere")
    with pytest.raises(LedgerUnavailable):
        await ledger.probe()
    (tmp_path / "elsewhere").rename(tmp_path / "disk")
    await ledger.probe()


async def test_probe_fails_while_the_file_is_another_one(ledger: Ledger, tmp_path: Path) -> None:
    """As after a backup was copied over it: the process goes on writing into the old file."""
    file = tmp_path / "disk/ledger.db"
    other = Ledger(f"sqlite:///{tmp_path}/other.db")
    await other.migrate()
    await other.probe()
    await other.close()
    file.unlink()
    with pytest.raises(LedgerUnavailable, match="cannot be opened"):
        await ledger.probe()
    (tmp_path / "other.db").rename(file)
    for name in ("ledger.db-wal", "ledger.db-shm"):
        (tmp_path / "disk" / name).unlink(missing_ok=True)
    with pytest.raises(LedgerUnavailable, match="another one"):
        await ledger.probe()


async def test_probe_fails_while_the_disk_takes_no_more(ledger: Ledger) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200 * 1024, hard))
    try:
        with pytest.raises(LedgerUnavailable, match="cannot be written"):
            await ledger.probe()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    await ledger.probe()


async def test_probe_fails_while_postgresql_is_away() -> None:
    with running_postgres() as url:
        ledger = Ledger(url)
        await ledger.migrate()
        for _ in range(2):
            await ledger.probe()
    with pytest.raises(LedgerUnavailable):
        await ledger.probe()
    await ledger.close()
