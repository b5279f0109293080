"""Reading the log from SQLite. What is read may have been edited: whoever reads verifies."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from hsmpub.tlog.rules import LogAbsent, LogDamaged, LogUnavailable
from hsmpub.tlog.store import Stamp

APPLICATION_ID = 0x68736D70  # "hsmp"
FORMAT = 1

#: SQLite's primary result codes that pass: BUSY, LOCKED, NOMEM, READONLY, IOERR, FULL, CANTOPEN.
_PASSING = {5, 6, 7, 8, 10, 13, 14}


@contextlib.contextmanager
def told(doing: str) -> Iterator[None]:
    """SQLite's errors as rules of the log: those that pass, and those that mean a damaged file."""
    try:
        yield
    except sqlite3.Error as e:
        code = getattr(e, "sqlite_errorcode", None)
        if code is None or code & 0xFF in _PASSING:
            raise LogUnavailable(f"The log database failed while {doing}: {e}.") from e
        raise LogDamaged(f"The log database failed while {doing}: {e}.") from e


def tile_id(level: int, index: int) -> int:
    return level << 56 | index


class SqliteRows:
    """Implements `Rows`, read-only. Safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        """Raises LogAbsent, LogDamaged, LogUnavailable."""
        if not path.is_file():
            raise LogAbsent(f"There is no log at {path}.")
        self._path = path
        self._reading = threading.Lock()
        self._rows = self.connect("ro")
        with told("reading its header"):
            found = self._rows.execute("PRAGMA application_id").fetchone()[0]
            version = self._rows.execute("PRAGMA user_version").fetchone()[0]
        if (found, version) != (APPLICATION_ID, FORMAT):
            self._rows.close()
            raise LogDamaged(f"{path} is not a log of format {FORMAT}.")

    def connect(self, mode: str) -> sqlite3.Connection:
        with told("opening it"):
            uri = f"file:{quote(str(self._path))}?mode={mode}"
            return sqlite3.connect(uri, uri=True, timeout=2, isolation_level=None, check_same_thread=False)

    def _all(self, doing: str, query: str, *values: int) -> list[tuple[int, bytes]]:
        with self._reading, told(doing):
            return self._rows.execute(query, values).fetchall()

    def size(self) -> int:
        with self._reading, told("reading its size"):
            highest: int | None = self._rows.execute("SELECT max(idx) FROM entries").fetchone()[0]
        return 0 if highest is None else highest + 1

    def entries(self, start: int, stop: int) -> list[tuple[int, bytes]]:
        query = "SELECT idx, data FROM entries WHERE idx >= ? AND idx < ? ORDER BY idx"
        return self._all("reading entries", query, start, stop)

    def find_last(self, prefix: bytes, containing: bytes, before: int) -> int | None:
        query = """SELECT idx FROM entries WHERE idx < ? AND substr(data, 1, ?) = ? AND instr(data, ?)
                   ORDER BY idx DESC LIMIT 1"""
        with self._reading, told("searching it"):
            found = self._rows.execute(query, (before, len(prefix), prefix, containing)).fetchone()
        return None if found is None else int(found[0])

    def tile(self, level: int, index: int) -> bytes:
        found = self._all("reading a tile", "SELECT id, hashes FROM tiles WHERE id = ?", tile_id(level, index))
        return found[0][1] if found else b""

    def stamp(self) -> Stamp | None:
        with self._reading, told("reading the last commit"):
            found = self._rows.execute("SELECT size, root, mac FROM stamp").fetchone()
        return None if found is None else Stamp(*found)

    def checkpoint(self) -> tuple[int, bytes] | None:
        query = "SELECT size, note FROM checkpoints ORDER BY size DESC LIMIT 1"
        found = self._all("reading the checkpoint", query)
        return found[0] if found else None

    def close(self) -> None:
        with self._reading:
            self._rows.close()
