"""The log in SQLite: write-ahead log, synchronous=FULL, one writer.

`entries` holds the truth; `tiles` what makes proofs cheap; `checkpoints` what was signed last; `stamp` the keeper's
mark on the last commit. Measured before: group commit in one thread is ten times a commit for each record, and a second
writer on the file multiplies the slowest commits by ten.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from hsmpub.tlog.rules import LogDamaged, LogExists, LogUnavailable
from hsmpub.tlog.sqlite_rows import APPLICATION_ID, FORMAT, SqliteRows, closed_if_refused, rule_of, tile_id, told
from hsmpub.tlog.store import Commit, Stamp

_SCHEMA = """
CREATE TABLE entries (idx INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
CREATE TABLE tiles (id INTEGER PRIMARY KEY, hashes BLOB NOT NULL) STRICT;
CREATE TABLE checkpoints (size INTEGER PRIMARY KEY, note BLOB NOT NULL) STRICT;
CREATE TABLE stamp (one INTEGER PRIMARY KEY CHECK (one = 1), size INTEGER NOT NULL, root BLOB NOT NULL,
                    mac BLOB NOT NULL) STRICT;
"""


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
        with told("making it"), contextlib.closing(sqlite3.connect(path, isolation_level=None)) as fresh:
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
            writer = self.connect("rw")
            with closed_if_refused(writer), told("preparing it"):
                mode = writer.execute("PRAGMA journal_mode = WAL").fetchone()[0]
                writer.execute("PRAGMA synchronous = FULL")
                writer.execute("PRAGMA journal_size_limit = 67108864")
                level = writer.execute("PRAGMA synchronous").fetchone()[0]
                if mode != "wal" or level != 2:
                    raise LogDamaged(f"SQLite does not keep the log durable (journal {mode}, synchronous {level}).")
            self._writer = writer
        return self._writer

    @contextlib.contextmanager
    def _transaction(self, doing: str) -> Iterator[sqlite3.Connection]:
        writer = self._writing()
        try:
            writer.execute("BEGIN IMMEDIATE")
            yield writer
            writer.execute("COMMIT")
        except BaseException as error:
            self._writer = None
            with contextlib.suppress(sqlite3.Error):
                writer.execute("ROLLBACK")
            with contextlib.suppress(sqlite3.Error):
                writer.close()
            if isinstance(error, sqlite3.Error):
                raise rule_of(error, doing) from error
            raise

    def commit(self, commit: Commit) -> None:
        with self._transaction("committing") as writer:
            writer.executemany("INSERT INTO entries VALUES (?, ?)", enumerate(commit.entries, commit.first))
            tiles = [(tile_id(level, index), hashes) for (level, index), hashes in commit.tiles.items()]
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
