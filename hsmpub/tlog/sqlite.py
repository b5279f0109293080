"""The log in SQLite: write-ahead log, synchronous=FULL, one writer.

`entries` holds the truth; `tiles` what makes proofs cheap; `checkpoints` what was signed last; `stamp` the keeper's
mark on the last commit. Measured before: group commit in one thread is ten times a commit for each record, and a second
writer on the file multiplies the slowest commits by ten.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from hsmpub.tlog.rules import LogAbsent, LogDamaged, LogExists, LogUnavailable
from hsmpub.tlog.store import Commit, Stamp

APPLICATION_ID = 0x68736D70  # "hsmp"
FORMAT = 1
_SCHEMA = """
CREATE TABLE entries (idx INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
CREATE TABLE tiles (id INTEGER PRIMARY KEY, hashes BLOB NOT NULL) STRICT;
CREATE TABLE checkpoints (size INTEGER PRIMARY KEY, note BLOB NOT NULL) STRICT;
CREATE TABLE stamp (one INTEGER PRIMARY KEY CHECK (one = 1), size INTEGER NOT NULL, root BLOB NOT NULL,
                    mac BLOB NOT NULL) STRICT;
"""
#: SQLite's primary result codes that pass: BUSY, LOCKED, NOMEM, READONLY, IOERR, FULL, CANTOPEN.
_PASSING = {5, 6, 7, 8, 10, 13, 14}


@contextlib.contextmanager
def _told(doing: str) -> Iterator[None]:
    """SQLite's errors as rules of the log: those that pass, and those that mean a damaged file."""
    try:
        yield
    except sqlite3.Error as e:
        code = getattr(e, "sqlite_errorcode", None)
        if code is None or code & 0xFF in _PASSING:
            raise LogUnavailable(f"The log database failed while {doing}: {e}.") from e
        raise LogDamaged(f"The log database failed while {doing}: {e}.") from e


def _tile_id(level: int, index: int) -> int:
    return level << 56 | index


class SqliteRows:
    """Implements `Rows`, read-only. Safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        """Raises LogAbsent, LogDamaged, LogUnavailable."""
        if not path.is_file():
            raise LogAbsent(f"There is no log at {path}.")
        self._path = path
        self._reading = threading.Lock()
        self._rows = self._connect("ro")
        with _told("reading its header"):
            found = self._rows.execute("PRAGMA application_id").fetchone()[0]
            version = self._rows.execute("PRAGMA user_version").fetchone()[0]
        if (found, version) != (APPLICATION_ID, FORMAT):
            self._rows.close()
            raise LogDamaged(f"{path} is not a log of format {FORMAT}.")

    def _connect(self, mode: str) -> sqlite3.Connection:
        with _told("opening it"):
            uri = f"file:{quote(str(self._path))}?mode={mode}"
            return sqlite3.connect(uri, uri=True, timeout=2, isolation_level=None, check_same_thread=False)

    def _all(self, doing: str, query: str, *values: int) -> list[tuple[int, bytes]]:
        with self._reading, _told(doing):
            return self._rows.execute(query, values).fetchall()

    def size(self) -> int:
        with self._reading, _told("reading its size"):
            highest: int | None = self._rows.execute("SELECT max(idx) FROM entries").fetchone()[0]
        return 0 if highest is None else highest + 1

    def entries(self, start: int, stop: int) -> list[tuple[int, bytes]]:
        query = "SELECT idx, data FROM entries WHERE idx >= ? AND idx < ? ORDER BY idx"
        return self._all("reading entries", query, start, stop)

    def tile(self, level: int, index: int) -> bytes:
        found = self._all("reading a tile", "SELECT id, hashes FROM tiles WHERE id = ?", _tile_id(level, index))
        return found[0][1] if found else b""

    def stamp(self) -> Stamp | None:
        with self._reading, _told("reading the last commit"):
            found = self._rows.execute("SELECT size, root, mac FROM stamp").fetchone()
        return None if found is None else Stamp(*found)

    def checkpoint(self) -> tuple[int, bytes] | None:
        query = "SELECT size, note FROM checkpoints ORDER BY size DESC LIMIT 1"
        found = self._all("reading the checkpoint", query)
        return found[0] if found else None

    def close(self) -> None:
        self._rows.close()


class SqliteStore(SqliteRows):
    """Implements `Store`: reads as above, and the one writing connection."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._writer: sqlite3.Connection | None = None

    @classmethod
    def create(cls, path: Path) -> SqliteStore:
        """A new, empty log; the file and its name in the directory are durable.

        Raises:
            LogExists: something is there already.
            LogUnavailable: the disk refuses.
        """
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o640))
        except FileExistsError:
            raise LogExists(f"There is a log at {path} already.") from None
        except OSError as e:
            raise LogUnavailable(f"The log cannot be made at {path}: {e.strerror}.") from e
        with _told("making it"), contextlib.closing(sqlite3.connect(path, isolation_level=None)) as fresh:
            fresh.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            fresh.execute(f"PRAGMA user_version = {FORMAT}")
            fresh.execute("PRAGMA journal_mode = WAL")
            fresh.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        return cls(path)

    def _writing(self) -> sqlite3.Connection:
        """The writing connection; made anew after a failure, so that nothing half-done stays behind."""
        if self._writer is None:
            writer = self._connect("rw")
            with _told("preparing it"):
                mode = writer.execute("PRAGMA journal_mode = WAL").fetchone()[0]
                writer.execute("PRAGMA synchronous = FULL")
                writer.execute("PRAGMA journal_size_limit = 67108864")
                level = writer.execute("PRAGMA synchronous").fetchone()[0]
            if mode != "wal" or level != 2:
                writer.close()
                raise LogDamaged(f"SQLite does not keep the log durable (journal {mode}, synchronous {level}).")
            self._writer = writer
        return self._writer

    @contextlib.contextmanager
    def _transaction(self, doing: str) -> Iterator[sqlite3.Connection]:
        writer = self._writing()
        try:
            with _told(doing):
                writer.execute("BEGIN IMMEDIATE")
                yield writer
                writer.execute("COMMIT")
        except BaseException:
            self._writer = None
            with contextlib.suppress(sqlite3.Error):
                writer.execute("ROLLBACK")
            with contextlib.suppress(sqlite3.Error):
                writer.close()
            raise

    def commit(self, commit: Commit) -> None:
        with self._transaction("committing") as writer:
            writer.executemany("INSERT INTO entries VALUES (?, ?)", enumerate(commit.entries, commit.first))
            tiles = [(_tile_id(level, index), hashes) for (level, index), hashes in commit.tiles.items()]
            writer.executemany("REPLACE INTO tiles VALUES (?, ?)", tiles)
            self._put_stamp(writer, commit.stamp)
            if commit.checkpoint is not None:
                writer.execute("REPLACE INTO checkpoints VALUES (?, ?)", commit.checkpoint)
                writer.execute("DELETE FROM checkpoints WHERE size < ?", commit.checkpoint[:1])

    def rewind(self, stamp: Stamp) -> None:
        with self._transaction("taking an unacknowledged commit back") as writer:
            writer.execute("DELETE FROM entries WHERE idx >= ?", (stamp.size,))
            self._put_stamp(writer, stamp)

    @staticmethod
    def _put_stamp(writer: sqlite3.Connection, stamp: Stamp) -> None:
        writer.execute("REPLACE INTO stamp VALUES (1, ?, ?, ?)", (stamp.size, stamp.root, stamp.mac))

    def close(self) -> None:
        super().close()
        if self._writer is not None:
            self._writer.close()
            self._writer = None
