"""The sandbox's state: JSON rows by kind and id. Each write is on disk before it is answered; reads use memory."""

import json
import sqlite3
import threading
from pathlib import Path
from typing import Any

Row = dict[str, Any]
FIRST_ID = 9_000_000_001_001


class Store:
    """Rows, an audit log, and the results of desk actions that must run only once."""

    def __init__(self, path: Path, first_id: int = FIRST_ID) -> None:
        self._first_id = first_id
        self._lock = threading.RLock()
        self._rows: dict[str, dict[int, Row]] = {}
        """A copy of the rows on disk, by kind. A kind is loaded when it is first read."""
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute("CREATE TABLE IF NOT EXISTS rows (kind TEXT, id INTEGER, body TEXT, PRIMARY KEY (kind, id))")
        self._db.execute("CREATE TABLE IF NOT EXISTS log (seq INTEGER PRIMARY KEY, body TEXT)")
        self._db.execute("CREATE TABLE IF NOT EXISTS done (key TEXT PRIMARY KEY, answer TEXT)")
        self._db.execute("CREATE TABLE IF NOT EXISTS ids (id INTEGER PRIMARY KEY AUTOINCREMENT)")

    @property
    def is_empty(self) -> bool:
        return self._db.execute("SELECT 1 FROM rows LIMIT 1").fetchone() is None

    def clear(self) -> None:
        """Delete everything except the id counter: an id is never used twice."""
        with self._lock:
            self._rows.clear()
            self._db.execute("DELETE FROM rows")
            self._db.execute("DELETE FROM log")
            self._db.execute("DELETE FROM done")

    def all(self, kind: str) -> list[Row]:
        """All rows of a kind, by ascending id."""
        with self._lock:
            return [dict(row) for _, row in sorted(self._rows_of(kind).items())]

    def get(self, kind: str, row_id: str) -> Row | None:
        with self._lock:
            row = self._rows_of(kind).get(int(row_id) if row_id.isdecimal() else -1)
            return dict(row) if row is not None else None

    def put(self, kind: str, row: Row) -> Row:
        """Insert or replace the row under its own id."""
        number, body = int(row["id"]), json.dumps(row)
        with self._lock:
            self._db.execute("INSERT OR REPLACE INTO rows VALUES (?, ?, ?)", (kind, number, body))
            self._rows_of(kind)[number] = json.loads(body)
        return row

    def next_id(self) -> int:
        """A new id. Ids rise across all kinds, and the id of a deleted row is never used again."""
        with self._lock:
            serial = self._db.execute("INSERT INTO ids DEFAULT VALUES").lastrowid or 0
            self._db.execute("DELETE FROM ids")
            return self._first_id + serial

    def add(self, kind: str, row: Row) -> Row:
        """Insert the row under the next id."""
        with self._lock:
            return self.put(kind, {"id": str(self.next_id()), **row})

    def delete(self, kind: str, row_id: str) -> None:
        with self._lock:
            self._db.execute("DELETE FROM rows WHERE kind = ? AND id = ?", (kind, int(row_id)))
            self._rows_of(kind).pop(int(row_id), None)

    def _rows_of(self, kind: str) -> dict[int, Row]:
        if kind not in self._rows:
            records = self._db.execute("SELECT id, body FROM rows WHERE kind = ?", (kind,))
            self._rows[kind] = {number: json.loads(body) for number, body in records}
        return self._rows[kind]

    def append_log(self, entry: Row) -> None:
        with self._lock:
            self._db.execute("INSERT INTO log (body) VALUES (?)", (json.dumps(entry),))

    def log_entries(self) -> list[Row]:
        """The audit log, oldest first."""
        with self._lock:
            return [json.loads(body) for (body,) in self._db.execute("SELECT body FROM log ORDER BY seq")]

    def log_entries_after(self, timestamp: str) -> list[Row]:
        """Log entries with a later ``sendTime``, newest first."""
        entries = []
        with self._lock:
            for (body,) in self._db.execute("SELECT body FROM log ORDER BY seq DESC"):
                entry = json.loads(body)
                if entry["sendTime"] <= timestamp:
                    break
                entries.append(entry)
        return entries

    def save_result(self, key: str, result: Row) -> None:
        """Keep the result of a desk action under the key that it was sent with."""
        with self._lock:
            self._db.execute("INSERT INTO done VALUES (?, ?)", (key, json.dumps(result)))

    def saved_result(self, key: str) -> Row | None:
        with self._lock:
            record = self._db.execute("SELECT answer FROM done WHERE key = ?", (key,)).fetchone()
        return json.loads(record[0]) if record else None
