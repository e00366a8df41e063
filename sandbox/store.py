"""The sandbox's state: JSON rows by kind and id, on disk before anything is answered, and read from memory."""

import json
import sqlite3
import threading
from pathlib import Path
from typing import Any

Row = dict[str, Any]
FIRST_ID = 9_000_000_001_001


class Store:
    def __init__(self, path: Path, first_id: int = FIRST_ID) -> None:
        self._first_id = first_id
        self._lock = threading.RLock()
        self._rows: dict[str, dict[int, Row]] = {}
        """As they are on disk, by kind; what is not there is read when it is asked for."""
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute("CREATE TABLE IF NOT EXISTS rows (kind TEXT, id INTEGER, body TEXT, PRIMARY KEY (kind, id))")
        self._db.execute("CREATE TABLE IF NOT EXISTS log (seq INTEGER PRIMARY KEY, body TEXT)")
        self._db.execute("CREATE TABLE IF NOT EXISTS done (key TEXT PRIMARY KEY, answer TEXT)")
        self._db.execute("CREATE TABLE IF NOT EXISTS ids (id INTEGER PRIMARY KEY AUTOINCREMENT)")

    @property
    def empty(self) -> bool:
        return self._db.execute("SELECT 1 FROM rows LIMIT 1").fetchone() is None

    def clear(self) -> None:
        with self._lock:
            self._rows.clear()
            self._db.execute("DELETE FROM rows")
            self._db.execute("DELETE FROM log")
            self._db.execute("DELETE FROM done")

    def all(self, kind: str) -> list[Row]:
        """Rows by ascending id."""
        with self._lock:
            return [dict(row) for _, row in sorted(self._of(kind).items())]

    def get(self, kind: str, row_id: str) -> Row | None:
        with self._lock:
            found = self._of(kind).get(int(row_id) if row_id.isdecimal() else -1)
            return dict(found) if found is not None else None

    def put(self, kind: str, row: Row) -> Row:
        number, body = int(row["id"]), json.dumps(row)
        with self._lock:
            self._db.execute("INSERT OR REPLACE INTO rows VALUES (?, ?, ?)", (kind, number, body))
            self._of(kind)[number] = json.loads(body)
        return row

    def next_id(self) -> int:
        """Ids rise over all kinds, and one that was deleted is never given again."""
        with self._lock:
            serial = self._db.execute("INSERT INTO ids DEFAULT VALUES").lastrowid or 0
            self._db.execute("DELETE FROM ids")
            return self._first_id + serial

    def add(self, kind: str, row: Row) -> Row:
        """Store under the next id."""
        with self._lock:
            return self.put(kind, {"id": str(self.next_id()), **row})

    def delete(self, kind: str, row_id: str) -> None:
        with self._lock:
            self._db.execute("DELETE FROM rows WHERE kind = ? AND id = ?", (kind, int(row_id)))
            self._of(kind).pop(int(row_id), None)

    def _of(self, kind: str) -> dict[int, Row]:
        if kind not in self._rows:
            found = self._db.execute("SELECT id, body FROM rows WHERE kind = ?", (kind,))
            self._rows[kind] = {number: json.loads(body) for number, body in found}
        return self._rows[kind]

    def note(self, entry: Row) -> None:
        with self._lock:
            self._db.execute("INSERT INTO log (body) VALUES (?)", (json.dumps(entry),))

    def log(self) -> list[Row]:
        with self._lock:
            return [json.loads(body) for (body,) in self._db.execute("SELECT body FROM log ORDER BY seq")]

    def log_since(self, sent: str) -> list[Row]:
        """Entries sent later than that, last first."""
        found = []
        with self._lock:
            for (body,) in self._db.execute("SELECT body FROM log ORDER BY seq DESC"):
                entry = json.loads(body)
                if entry["sendTime"] <= sent:
                    break
                found.append(entry)
        return found

    def remember(self, key: str, answer: Row) -> None:
        """What came of the action that was asked for under this key."""
        with self._lock:
            self._db.execute("INSERT INTO done VALUES (?, ?)", (key, json.dumps(answer)))

    def remembered(self, key: str) -> Row | None:
        with self._lock:
            found = self._db.execute("SELECT answer FROM done WHERE key = ?", (key,)).fetchone()
        return json.loads(found[0]) if found else None
