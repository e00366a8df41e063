"""Whether the ledger can be written now, and whether what we write is where everybody else reads."""

import sqlite3
import time
from pathlib import Path
from tempfile import TemporaryFile
from urllib.parse import quote

from sqlalchemy import Connection, insert, update

from adapters.ledger.database import LedgerUnavailable
from adapters.ledger.schema import probes

ROW = 1
FREE_BYTES = 256 * 1024
"""What must fit on the disk of a SQLite ledger. The probe's own row fits into pages that are reserved already."""
OPEN_TIMEOUT = 1.0
"""Seconds."""


def write_row(c: Connection) -> float:
    """Write the probe's row on a connection that bookings use too. Returns what was written."""
    now = time.time()
    if not c.execute(update(probes).where(probes.c.id == ROW).values(at=now)).rowcount:
        c.execute(insert(probes).values(id=ROW, at=now))
    return now


def check_file(path: Path, written_at: float) -> None:
    """Read the row back from a SQLite ledger through its name, and check that the disk takes more.

    A process keeps a file open that was deleted, replaced or unmounted: it goes on writing where nobody looks.
    Raises LedgerUnavailable.
    """
    try:
        with TemporaryFile(dir=path.parent) as file:
            file.write(bytes(FREE_BYTES))
            file.flush()
        connection = sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True, timeout=OPEN_TIMEOUT)
        try:
            row = connection.execute("SELECT at FROM probes WHERE id = ?", (ROW,)).fetchone()
        finally:
            connection.close()
    except OSError as error:
        raise LedgerUnavailable(f"the ledger's disk cannot be written: {error.strerror}") from None
    except sqlite3.Error as error:
        raise LedgerUnavailable(f"the ledger's file cannot be opened: {type(error).__name__}") from None
    if row is None or row[0] < written_at:
        raise LedgerUnavailable("the ledger's file is another one than the one that this process writes")
