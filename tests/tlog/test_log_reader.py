"""Reading the log from another process, trusting nothing: what is served, others verify."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Iterator

import pytest
from logs import KEY, Place, bundled, check_proof, entries, entry, sign
from test_log_crash import HERE

from hsmpub.tlog import sqlite_rows
from hsmpub.tlog.checkpoint import check_checkpoint
from hsmpub.tlog.log import Log
from hsmpub.tlog.merkle import leaf_hash
from hsmpub.tlog.merkle_check import check_inclusion
from hsmpub.tlog.reader import LogReader
from hsmpub.tlog.rules import CheckpointPending, LogUnavailable, NotInLog
from hsmpub.tlog.sqlite_rows import SqliteRows
from hsmpub.tlog.tile import Frontier, tile_width

READ = """
import sys
from pathlib import Path
from hsmpub.tlog.reader import LogReader
reader = LogReader.open(Path(sys.argv[1]))
print(reader.size, reader.entry(2).decode())
print(*reader.log_proofs([2])[1], end="")
"""

#: Commits that change no entry, and stays.
WRITE = """
import sqlite3, sys
writer = sqlite3.connect(sys.argv[1], isolation_level=None)
for _ in range(2):
    writer.execute("UPDATE stamp SET size = size")
print("written", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def log(place: Place) -> Iterator[Log]:
    made = place.create(600)
    asyncio.run(made.publish_checkpoint(sign))
    yield made
    made.close()


@pytest.fixture
def reader(place: Place, log: Log) -> Iterator[LogReader]:
    made = LogReader.open(place.db)
    yield made
    made.close()


def test_another_process_reads_while_the_keeper_has_it_open(place: Place, log: Log) -> None:
    command = [sys.executable, "-c", READ, str(place.db)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=HERE.parents[1], timeout=60)
    first, _, proof = done.stdout.partition("\n")
    assert first == f"600 {entry(2).decode()}"
    assert check_proof(proof, entry(2))[0] == 2


def test_every_proof_verifies_under_the_checkpoint(log: Log, reader: LogReader) -> None:
    indexes = range(0, 600, 7)
    note, proofs = reader.log_proofs(indexes)
    assert note == reader.checkpoint()
    for index, proof in zip(indexes, proofs, strict=True):
        assert check_proof(proof, entry(index)) == (index, check_checkpoint(note, KEY))


def test_proofs_of_older_sizes_verify_too(log: Log, reader: LogReader) -> None:
    for size in (1, 2, 255, 256, 257, 511, 599):
        root = Frontier.load(size, lambda level, at: log._store.tile(level, at)).root()
        for index in {0, size // 2, size - 1}:
            check_inclusion(leaf_hash(entry(index)), index, size, reader.proof(index, size), root)


def test_serves_tiles_and_bundles_of_exactly_the_signed_log(log: Log, reader: LogReader) -> None:
    asyncio.run(log.append(entries(600, 700)))  # appended, not signed yet
    assert (reader.size, reader.checkpoint_size) == (700, 600)
    leaves = b"".join(leaf_hash(data) for data in entries(0, 600))
    served = reader.tile(0, 0) + reader.tile(0, 1) + reader.tile(0, 2, 88)
    assert served == leaves
    assert len(reader.tile(1, 0, 2)) == 64
    assert list(bundled(reader.entry_bundle(1))) == entries(256, 512)
    assert list(bundled(reader.entry_bundle(2, 88))) == entries(512, 600)
    assert reader.tile(0, 2, 17) == leaves[512 * 32 : 529 * 32]


@pytest.mark.parametrize(("level", "index", "width"), [
    (0, 2, 256), (0, 2, 89), (0, 3, 1), (1, 0, 3), (2, 0, 1), (64, 0, 1), (-1, 0, 1), (0, -1, 1), (0, 0, 0),
    (0, 0, 257), (0, 2**60, 1),
])  # fmt: skip
def test_refuses_tiles_that_the_signed_log_does_not_have(reader: LogReader, level: int, index: int, width: int) -> None:
    with pytest.raises(NotInLog):
        reader.tile(level, index, width)


@pytest.mark.parametrize(("index", "width"), [(2, 89), (3, 1), (0, 0), (-1, 1)])
def test_refuses_bundles_that_the_signed_log_does_not_have(reader: LogReader, index: int, width: int) -> None:
    with pytest.raises(NotInLog):
        reader.entry_bundle(index, width)


def test_refuses_proofs_beyond_the_log(reader: LogReader) -> None:
    for index, size in ((600, 600), (-1, 600), (0, 0), (600, 900)):
        with pytest.raises(NotInLog):
            reader.proof(index, size)
    with pytest.raises(NotInLog):
        reader.entry(600)
    with pytest.raises(NotInLog):
        reader.log_proofs([0, 600])


def test_a_log_without_a_checkpoint_serves_no_tile(place: Place) -> None:
    log = place.create(5)
    reader = LogReader.open(place.db)
    with pytest.raises(CheckpointPending):
        reader.checkpoint()
    with pytest.raises(NotInLog):
        reader.tile(0, 0, 1)
    assert tile_width(0, 0, reader.checkpoint_size) == 0
    reader.close()
    log.close()


def test_waits_for_the_checkpoint_of_an_entry(log: Log, reader: LogReader) -> None:
    async def run() -> None:
        assert check_checkpoint(await reader.wait_for_checkpoint(599, 0), KEY).size == 600
        with pytest.raises(CheckpointPending):
            await reader.wait_for_checkpoint(600, 0.01)
        waiting = [asyncio.create_task(reader.wait_for_checkpoint(600, 60)) for _ in range(5)]
        await log.append([entry(600)])
        await log.publish_checkpoint(sign)
        assert {check_checkpoint(note, KEY).size for note in await asyncio.gather(*waiting)} == {601}

    asyncio.run(run())


def test_reads_on_after_the_keeper_restarts(place: Place, log: Log, reader: LogReader) -> None:
    log.close()
    again = place.open()
    asyncio.run(again.append([b"new"]))
    assert reader.entry(600) == b"new"
    again.close()


def test_a_reader_that_may_not_write_looks_again_where_the_writer_is_amid_the_index(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the front is confined. SQLite itself gives up: whoever cannot mend the index cannot know that it is being
    written this moment."""
    place.create(600).close()
    command = [sys.executable, "-c", WRITE, str(place.db)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "written\n"
        monkeypatch.setattr(SqliteRows, "connect", _confined)
        reader, index = LogReader.open(place.db), place.db.with_name(f"{place.db.name}-shm")
        whole, looks = index.read_bytes(), []

        def look_elsewhere(seconds: float) -> None:
            looks.append(seconds)
            index.write_bytes(whole) if len(looks) == 3 else None

        monkeypatch.setattr(sqlite_rows.time, "sleep", look_elsewhere)
        with index.open("r+b") as file:
            file.write(bytes(48))  # the first of the two copies
        assert reader.size == 600
        assert len(looks) == 3
        with index.open("r+b") as file:
            file.write(bytes(48))
        with pytest.raises(LogUnavailable):
            reader.checkpoint()
        reader.close()
        writer.communicate("")


@pytest.mark.parametrize("held", ["cast(x'ff' as text)", "1000000"])
def test_what_somebody_put_in_the_place_of_a_row_s_bytes_is_no_crash(place: Place, held: str) -> None:
    """A text that Python cannot decode is an error of its own, without a code of SQLite's; a number is no size."""
    place.create(5).close()
    with sqlite3.connect(place.db) as edits:
        for table, number, data in (("entries", "idx", "data"), ("tiles", "id", "hashes")):
            edits.execute(f"DROP TABLE {table}")
            edits.execute(f"CREATE TABLE {table} ({number} INTEGER PRIMARY KEY, {data})")
            edits.execute(f"INSERT INTO {table} VALUES (0, {held})")
    edits.close()
    rows = SqliteRows(place.db)
    try:
        for read in (lambda: rows.entries(0, 1), lambda: rows.tile(0, 0)):
            if held == "1000000":
                assert read() in ([(0, 1_000_000)], 1_000_000)
            else:
                with pytest.raises(LogUnavailable):
                    read()
    finally:
        rows.close()


def _confined(self: SqliteRows, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{self.path}?mode={mode}&readonly_shm=1", uri=True, isolation_level=None)
