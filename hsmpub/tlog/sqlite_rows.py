"""Reading the log from SQLite. What is read may have been edited: whoever reads verifies."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hsmpub.tlog.rules import LogAbsent, LogDamaged, LogUnavailable
from hsmpub.tlog.store import Stamp

APPLICATION_ID = 0x68736D70  # "hsmp"
FORMAT = 1

#: SQLite's primary result codes that pass: BUSY, LOCKED, NOMEM, READONLY, IOERR, FULL, CANTOPEN.
_PASSING = {5, 6, 7, 8, 10, 13, 14}


#: What a reader that may not write meets while the writer is amid the head of the write-ahead log's index, whose two
#: copies differ for an instant: it would mend them if it could. Source: SQLite 3.40, walIndexReadHdr, walTryBeginRead.
_TORN = {sqlite3.SQLITE_READONLY_RECOVERY, sqlite3.SQLITE_READONLY_CANTINIT}
_LOOKS, _BETWEEN = 20, 0.001  # seconds


def rule_of(error: sqlite3.Error, doing: str) -> LogUnavailable | LogDamaged:
    """An error of SQLite as a rule of the log: one that passes, or one that means a damaged file."""
    code = getattr(error, "sqlite_errorcode", None)
    passes = code is None or code & 0xFF in _PASSING
    return (LogUnavailable if passes else LogDamaged)(f"The log database failed while {doing}: {error}.")


@contextlib.contextmanager
def told(doing: str) -> Iterator[None]:
    """SQLite's errors as rules of the log."""
    try:
        yield
    except sqlite3.Error as e:
        raise rule_of(e, doing) from e


@contextlib.contextmanager
def closed_if_refused(connection: sqlite3.Connection) -> Iterator[None]:
    """A connection that turns out to be of no use does not stay open until it is cleared away."""
    try:
        yield
    except BaseException:
        connection.close()
        raise


def tile_id(level: int, index: int) -> int:
    return level << 56 | index


class SqliteRows:
    """Implements `Rows`, read-only. Safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        """Raises LogAbsent, LogDamaged, LogUnavailable."""
        if not path.is_file():
            raise LogAbsent(f"There is no log at {path}.")
        self.path = path
        self._reading = threading.Lock()
        self._rows = self.connect("ro")
        with closed_if_refused(self._rows), told("reading its header"):
            found = self._rows_of("PRAGMA application_id")[0][0]
            version = self._rows_of("PRAGMA user_version")[0][0]
            if (found, version) != (APPLICATION_ID, FORMAT):
                raise LogDamaged(f"{path} is not a log of format {FORMAT}.")

    def connect(self, mode: str) -> sqlite3.Connection:
        with told("opening it"):
            uri = f"file:{quote(str(self.path))}?mode={mode}"
            return sqlite3.connect(uri, uri=True, timeout=2, isolation_level=None, check_same_thread=False)

    def _all(self, doing: str, query: str, *values: int | bytes) -> list[Any]:
        with self._reading, told(doing):
            return self._rows_of(query, *values)

    def _rows_of(self, query: str, *values: int | bytes) -> list[Any]:
        for left in reversed(range(_LOOKS)):
            try:
                return self._rows.execute(query, values).fetchall()
            except sqlite3.OperationalError as e:
                # what Python itself cannot read has no code
                if not left or getattr(e, "sqlite_errorcode", None) not in _TORN:
                    raise
                time.sleep(_BETWEEN)
        raise AssertionError("the last look returns or raises")

    def size(self) -> int:
        highest: int | None = self._all("reading its size", "SELECT max(idx) FROM entries")[0][0]
        return 0 if highest is None else highest + 1

    def entries(self, start: int, stop: int) -> list[tuple[int, bytes]]:
        query = "SELECT idx, data FROM entries WHERE idx >= ? AND idx < ? ORDER BY idx"
        found: list[tuple[int, bytes]] = self._all("reading entries", query, start, stop)
        return found

    def find_last(self, prefix: bytes, containing: bytes, before: int) -> int | None:
        query = """SELECT idx FROM entries WHERE idx < ? AND substr(data, 1, ?) = ? AND instr(data, ?)
                   ORDER BY idx DESC LIMIT 1"""
        found = self._all("searching it", query, before, len(prefix), prefix, containing)
        return int(found[0][0]) if found else None

    def tile(self, level: int, index: int) -> bytes:
        found = self._all("reading a tile", "SELECT id, hashes FROM tiles WHERE id = ?", tile_id(level, index))
        hashes: bytes = found[0][1] if found else b""  # as it is: of a number, bytes() makes so many
        return hashes

    def stamp(self) -> Stamp | None:
        found = self._all("reading the last commit", "SELECT size, root, mac FROM stamp")
        return Stamp(*found[0]) if found else None

    def checkpoint(self) -> tuple[int, bytes] | None:
        query = "SELECT size, note FROM checkpoints ORDER BY size DESC LIMIT 1"
        found = self._all("reading the checkpoint", query)
        return (found[0][0], found[0][1]) if found else None

    def close(self) -> None:
        with self._reading:
            self._rows.close()
