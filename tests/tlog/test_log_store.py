"""One contract for every store: the one in SQLite and the one in memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from logs import entries

from hsmpub.tlog.memory import MemoryStore
from hsmpub.tlog.rules import LogAbsent, LogDamaged, LogExists
from hsmpub.tlog.sqlite import SqliteStore
from hsmpub.tlog.sqlite_rows import SqliteRows
from hsmpub.tlog.store import Commit, Store, is_own_stamp, make_stamp

KEY, ROOT = b"k" * 32, b"r" * 32


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made: Store = MemoryStore() if request.param == "memory" else SqliteStore.create(tmp_path / "log.sqlite")
    yield made
    made.close()


def commit(store: Store, start: int, stop: int, **rest: object) -> None:
    tiles = {(0, 0): b"h" * 32 * stop}
    made = Commit(start, entries(start, stop), tiles, make_stamp(KEY, stop, ROOT), **rest)  # type: ignore[arg-type]
    store.commit(made)


def test_a_new_store_is_empty(store: Store) -> None:
    assert (store.size(), store.stamp(), store.checkpoint()) == (0, None, None)
    assert store.entries(0, 10) == []
    assert store.tile(0, 0) == b""


def test_keeps_entries_tiles_and_stamp(store: Store) -> None:
    commit(store, 0, 3)
    commit(store, 3, 5)
    assert store.size() == 5
    assert store.entries(1, 4) == list(enumerate(entries(1, 4), 1))
    assert store.entries(4, 100) == [(4, entries(4, 5)[0])]
    assert store.tile(0, 0) == b"h" * 160
    assert store.stamp() == make_stamp(KEY, 5, ROOT)


def test_keeps_tiles_of_every_level_apart(store: Store) -> None:
    tiles = {(level, index): b"%d/%d" % (level, index) for level in (0, 1, 63) for index in (0, 1, 2**40)}
    store.commit(Commit(0, [], tiles, make_stamp(KEY, 0, ROOT)))
    assert {key: store.tile(*key) for key in tiles} == tiles


def test_keeps_the_newest_checkpoint(store: Store) -> None:
    commit(store, 0, 3, checkpoint=(2, b"two"))
    assert store.checkpoint() == (2, b"two")
    commit(store, 3, 5, checkpoint=(5, b"five"))
    commit(store, 5, 5)
    assert store.checkpoint() == (5, b"five")


def test_rewinds_what_was_not_acknowledged(store: Store) -> None:
    commit(store, 0, 3)
    commit(store, 3, 9)
    store.rewind(make_stamp(KEY, 3, ROOT))
    assert store.size() == 3
    assert store.stamp() == make_stamp(KEY, 3, ROOT)
    commit(store, 3, 4)
    assert store.entries(0, 10) == list(enumerate(entries(0, 4)))


def test_refuses_to_write_over_an_entry(store: Store) -> None:
    commit(store, 0, 3)
    with pytest.raises(LogDamaged):
        commit(store, 2, 4)
    assert store.size() == 3
    assert store.stamp() == make_stamp(KEY, 3, ROOT)
    commit(store, 3, 4)
    assert store.size() == 4


def test_finds_the_last_entry_of_a_kind(store: Store) -> None:
    made = [b"a1", b"b1", b"a2", b"b2", b"a1"]
    store.commit(Commit(0, made, {}, make_stamp(KEY, 5, ROOT)))
    assert store.find_last(b"a", b"", 5) == 4
    assert store.find_last(b"a", b"", 4) == 2
    assert store.find_last(b"a", b"1", 4) == 0
    assert store.find_last(b"b", b"b", 3) == 1
    assert store.find_last(b"c", b"", 5) is None


def test_may_be_closed_twice(store: Store) -> None:
    store.close()
    store.close()


def test_a_stamp_is_of_one_key_size_and_root() -> None:
    stamp = make_stamp(KEY, 5, ROOT)
    assert is_own_stamp(KEY, stamp)
    assert not is_own_stamp(b"x" * 32, stamp)
    assert make_stamp(KEY, 6, ROOT).mac != stamp.mac != make_stamp(KEY, 5, b"s" * 32).mac


def test_sqlite_really_syncs_every_commit_of_a_write_ahead_log(tmp_path: Path) -> None:
    store = SqliteStore.create(tmp_path / "log.sqlite")
    commit(store, 0, 1)
    assert store._writer is not None
    assert store._writer.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    assert store._writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    store.close()


def test_sqlite_never_overwrites(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    path.write_bytes(b"precious")
    with pytest.raises(LogExists):
        SqliteStore.create(path)
    assert path.read_bytes() == b"precious"


def test_sqlite_refuses_what_is_no_log(tmp_path: Path) -> None:
    with pytest.raises(LogAbsent):
        SqliteRows(tmp_path / "absent")
    (tmp_path / "text").write_bytes(b"not a database, but long enough to be one" * 100)
    with pytest.raises(LogDamaged):
        SqliteRows(tmp_path / "text")
    other = sqlite3.connect(tmp_path / "other")
    other.execute("CREATE TABLE entries (idx INTEGER PRIMARY KEY, data BLOB)")
    other.close()
    with pytest.raises(LogDamaged):
        SqliteRows(tmp_path / "other")


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    SqliteStore.create(tmp_path / "log.sqlite").close()
    rows = SqliteRows(tmp_path / "log.sqlite")
    with pytest.raises(sqlite3.OperationalError):
        rows._rows.execute("INSERT INTO entries VALUES (0, x'00')")
    rows.close()
