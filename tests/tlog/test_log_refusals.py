"""A log that is not the one that was acknowledged is refused, by a rule that names what is wrong."""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from logs import KEY, OTHER_SIGNER, Place, entries, entry, sign

from hsmpub.errors import Broken, HsmpubError
from hsmpub.tlog.checkpoint import sign_checkpoint
from hsmpub.tlog.log import Log
from hsmpub.tlog.merkle import leaf_hash
from hsmpub.tlog.note import VerifierKey
from hsmpub.tlog.rules import (
    CheckpointForged,
    HeadDamaged,
    LogAltered,
    LogDamaged,
    LogForeign,
    LogForked,
    LogRolledBack,
    LogTruncated,
)
from hsmpub.tlog.sqlite_rows import tile_id
from hsmpub.tlog.tile import Frontier

SIZE = 600  # two full tiles and a partial one


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = Place(tmp_path_factory.mktemp("log"))
    log = place.create(500)

    async def run() -> None:
        await log.append(entries(500, SIZE))
        await log.publish_checkpoint(sign)

    asyncio.run(run())
    log.close()
    return place.folder


@pytest.fixture
def kept(template: Path, tmp_path: Path) -> Place:
    """A closed log of 600 entries and a checkpoint, to be tampered with."""
    return Place(Path(shutil.copytree(template, tmp_path / "log")))


def edit(place: Place, *statements: tuple[str, tuple[object, ...]]) -> None:
    with closing(sqlite3.connect(place.db, isolation_level=None)) as db:
        for statement, values in statements:
            db.execute(statement, values)


def flip(data: bytes, at: int, bit: int = 0) -> bytes:
    changed = bytearray(data)
    changed[at] ^= 1 << bit
    return bytes(changed)


def refusal(place: Place) -> HsmpubError:
    """What the keeper meets as it starts: it opens the log and folds over its entries."""
    with pytest.raises(Broken) as refused:
        start(place)
    return refused.value


def start(place: Place) -> None:
    log = place.open()
    try:
        list(log.iterate())
    finally:
        log.close()


def test_the_untouched_log_opens(kept: Place) -> None:
    log = kept.open()
    assert [data for _, data in log.iterate()] == entries(0, SIZE)
    log.close()


def test_a_flipped_bit_in_any_entry_is_found_and_named(kept: Place) -> None:
    chosen = random.Random(7)
    for index in [0, 1, 255, 256, 511, 512, 513, 599, *chosen.sample(range(SIZE), 12)]:
        right = entry(index)
        wrong = flip(right, chosen.randrange(len(right)), chosen.randrange(8))
        edit(kept, ("UPDATE entries SET data = ? WHERE idx = ?", (wrong, index)))
        refused = refusal(kept)
        assert isinstance(refused, LogAltered)
        assert refused.index == index
        assert str(index) in refused.detail
        edit(kept, ("UPDATE entries SET data = ? WHERE idx = ?", (right, index)))
    kept.open().close()


def test_a_flipped_bit_in_any_hash_tile_is_found_and_named(kept: Place) -> None:
    chosen = random.Random(8)
    with closing(sqlite3.connect(kept.db)) as db:
        tiles = db.execute("SELECT id, hashes FROM tiles").fetchall()
    assert [len(hashes) // 32 for _, hashes in tiles] == [256, 256, 88, 2]
    for row, hashes in tiles:
        for at in [0, len(hashes) - 1, *[chosen.randrange(len(hashes)) for _ in range(4)]]:
            edit(kept, ("UPDATE tiles SET hashes = ? WHERE id = ?", (flip(hashes, at), row)))
            refused = refusal(kept)
            assert isinstance(refused, LogAltered)
            assert "ash tile" in refused.detail
            level, index = row >> 56, row & 0xFFFF
            first = index << 8 * (level + 1)
            assert first <= refused.index < first + 256 ** (level + 1)
        edit(kept, ("UPDATE tiles SET hashes = ? WHERE id = ?", (hashes, row)))
    kept.open().close()


@pytest.mark.parametrize("column", ["size", "root", "mac"])
def test_a_change_to_the_mark_on_the_last_commit_is_found(kept: Place, column: str) -> None:
    with closing(sqlite3.connect(kept.db)) as db:
        value = db.execute(f"SELECT {column} FROM stamp").fetchone()[0]
    changed = value + 1 if column == "size" else flip(value, 5)
    edit(kept, (f"UPDATE stamp SET {column} = ?", (changed,)))
    assert isinstance(refusal(kept), LogForeign)


def test_a_flipped_bit_anywhere_in_the_checkpoint_is_found(kept: Place) -> None:
    with closing(sqlite3.connect(kept.db)) as db:
        note = db.execute("SELECT note FROM checkpoints").fetchone()[0]
    for at in range(0, len(note), 9):
        edit(kept, ("UPDATE checkpoints SET note = ?", (flip(note, at),)))
        assert isinstance(refusal(kept), CheckpointForged)
    edit(kept, ("UPDATE checkpoints SET note = ?, size = 599", (note,)))
    assert isinstance(refusal(kept), CheckpointForged)


def test_a_flipped_byte_anywhere_in_the_head_file_is_survived_or_found(kept: Place) -> None:
    whole = kept.head.read_bytes()
    marks = [*range(0, 60, 7), *range(4096, 4176, 9), *range(8192, 8272, 9)]
    for at in marks:
        kept.head.write_bytes(flip(whole, at))
        try:
            kept.open().close()  # the other slot, whose state the database continues with a stamp
        except HeadDamaged:
            assert at < 4096
        assert kept.head.read_bytes() != b""
        kept.head.write_bytes(whole)


@pytest.mark.parametrize("content", [b"", b"short", b"hsmpub log head 1\n" + bytes(12270), bytes(12288), bytes(99999)])
def test_a_head_file_of_another_form_is_refused(kept: Place, content: bytes) -> None:
    kept.head.write_bytes(content)
    with pytest.raises(HeadDamaged):
        kept.open()


@pytest.mark.parametrize("index", [0, 255, 256, 300, 598])
def test_a_missing_entry_is_found_and_named(kept: Place, index: int) -> None:
    edit(kept, ("DELETE FROM entries WHERE idx = ?", (index,)))
    refused = refusal(kept)
    assert isinstance(refused, LogTruncated)
    assert refused.index == index


@pytest.mark.parametrize("left", [599, 512, 256, 100, 1, 0])
def test_a_truncated_log_is_refused(kept: Place, left: int) -> None:
    edit(kept, ("DELETE FROM entries WHERE idx >= ?", (left,)))
    refused = refusal(kept)
    assert isinstance(refused, LogTruncated)
    assert refused.index == left


@pytest.mark.parametrize("row", [tile_id(0, 0), tile_id(0, 2), tile_id(1, 0)])
def test_a_missing_hash_tile_is_found(kept: Place, row: int) -> None:
    edit(kept, ("DELETE FROM tiles WHERE id = ?", (row,)))
    assert isinstance(refusal(kept), LogAltered)


def test_two_entries_that_changed_places_are_found(kept: Place) -> None:
    edit(kept, ("UPDATE entries SET data = ? WHERE idx = 10", (entry(20),)),
         ("UPDATE entries SET data = ? WHERE idx = 20", (entry(10),)))  # fmt: skip
    refused = refusal(kept)
    assert isinstance(refused, LogAltered)
    assert refused.index == 10


def test_an_entry_changed_together_with_its_hashes_is_found(kept: Place) -> None:
    forged = [b"forged", *entries(1, 256)]
    hashes = b"".join(leaf_hash(data) for data in forged)
    edit(kept, ("UPDATE entries SET data = ? WHERE idx = 0", (forged[0],)),
         ("UPDATE tiles SET hashes = ? WHERE id = 0", (hashes,)))  # fmt: skip
    refused = refusal(kept)
    assert isinstance(refused, LogAltered)
    assert "entries 0 to 255" in refused.detail


def test_a_whole_history_rewritten_with_all_its_hashes_is_a_fork(kept: Place) -> None:
    forged = [b"forged", *entries(1, SIZE)]
    tiles = Frontier().extend([leaf_hash(data) for data in forged])
    edit(kept, ("UPDATE entries SET data = ? WHERE idx = 0", (forged[0],)))
    edit(kept, *[("UPDATE tiles SET hashes = ? WHERE id = ?", (hashes, tile_id(*at))) for at, hashes in tiles.items()])
    assert isinstance(refusal(kept), LogForked)


def test_a_database_restored_from_yesterday_is_refused(kept: Place) -> None:
    yesterday = kept.db.read_bytes()
    log = kept.open()
    asyncio.run(log.append([b"today"]))
    log.close()
    kept.db.write_bytes(yesterday)
    refused = refusal(kept)
    assert isinstance(refused, LogRolledBack)
    assert "600 entries; 601 were acknowledged" in refused.detail


@pytest.mark.parametrize("length", [1, 2, 5])
def test_another_continuation_by_the_same_keeper_is_a_fork(kept: Place, length: int) -> None:
    """As long as, or longer than, the one acknowledged: both carry the keeper's own stamps."""
    other = Place(Path(shutil.copytree(kept.folder, kept.folder.parent / "other")))
    for place, name in ((kept, b"here"), (other, b"there")):
        log = place.open()
        asyncio.run(log.append([name] * (1 if place is kept else length)))
        log.close()
    shutil.copy(other.db, kept.db)
    assert isinstance(refusal(kept), LogForked)


def test_entries_that_the_keeper_did_not_write_are_refused(kept: Place) -> None:
    """Somebody with the database, but not the head file, appends a fact by all the rules of the tree."""
    frontier = Frontier()
    frontier.extend([leaf_hash(data) for data in entries(0, SIZE)])
    tiles = frontier.extend([leaf_hash(b"forged approval")])
    statements: list[tuple[str, tuple[object, ...]]] = [
        ("INSERT INTO entries VALUES (?, ?)", (SIZE, b"forged approval")),
        ("UPDATE stamp SET size = ?, root = ?", (SIZE + 1, frontier.root())),
    ]
    statements += [("REPLACE INTO tiles VALUES (?, ?)", (tile_id(*at), hashes)) for at, hashes in tiles.items()]
    edit(kept, *statements)
    refused = refusal(kept)
    assert isinstance(refused, LogForeign)
    assert "600" in refused.detail


def test_a_checkpoint_of_more_than_the_log_is_refused(kept: Place) -> None:
    ahead = asyncio.run(sign_checkpoint(601, bytes(32), KEY, sign))
    edit(kept, ("UPDATE checkpoints SET size = 601, note = ?", (ahead,)))
    assert isinstance(refusal(kept), LogRolledBack)


def test_a_signed_checkpoint_of_another_history_is_a_fork(kept: Place) -> None:
    other = asyncio.run(sign_checkpoint(500, bytes(32), KEY, sign))
    edit(kept, ("UPDATE checkpoints SET size = 500, note = ?", (other,)))
    assert isinstance(refusal(kept), LogForked)


def test_the_checkpoint_of_another_log_key_is_refused(kept: Place) -> None:
    other = VerifierKey(KEY.name, OTHER_SIGNER.public_key().public_bytes_raw())
    with pytest.raises(CheckpointForged):
        Log.open(kept.db, kept.head, log_key=str(other))


def test_a_damaged_database_is_refused(kept: Place) -> None:
    data = bytearray(kept.db.read_bytes())
    data[4096:8192] = b"\xff" * 4096
    kept.db.write_bytes(data)
    assert isinstance(refusal(kept), LogDamaged | LogTruncated | LogAltered)


def test_a_refused_log_is_left_as_it_was(kept: Place) -> None:
    edit(kept, ("DELETE FROM entries WHERE idx = 599", ()))
    before = kept.db.read_bytes(), kept.head.read_bytes()
    refusal(kept)
    assert (kept.db.read_bytes(), kept.head.read_bytes()) == before


@pytest.mark.parametrize("tampering", [
    lambda p: edit(p, ("UPDATE entries SET data = x'00' WHERE idx = 300", ())),
    lambda p: edit(p, ("UPDATE tiles SET hashes = zeroblob(8192) WHERE id = 1", ())),
    lambda p: edit(p, ("UPDATE entries SET data = x'00' WHERE idx = 300", ()),
                   ("UPDATE tiles SET hashes = zeroblob(8192) WHERE id = 1", ())),
])  # fmt: skip
def test_a_row_edited_under_a_running_keeper_is_never_read(kept: Place, tampering: Callable[[Place], None]) -> None:
    log = kept.open()
    tampering(kept)
    with pytest.raises(LogAltered) as refused:
        log.read(300)
    assert refused.value.index == 300
    assert "300" in refused.value.detail
    assert log.read(10) == entry(10)
    log.close()


def test_a_row_deleted_under_a_running_keeper_is_named(kept: Place) -> None:
    log = kept.open()
    edit(kept, ("DELETE FROM entries WHERE idx = 599", ()))
    with pytest.raises(LogTruncated) as refused:
        log.read(599)
    assert refused.value.index == 599
    log.close()
