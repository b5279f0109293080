"""Tiles, their paths and entry bundles, as C2SP tlog-tiles defines them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from logs import bundled, root_of

from hsmpub.model.entry import EntryTooLarge
from hsmpub.tlog.bundle import dump_bundle
from hsmpub.tlog.merkle import HASH_BYTES, inclusion_proof, leaf_hash
from hsmpub.tlog.merkle_check import check_inclusion
from hsmpub.tlog.tile import (
    ENTRIES,
    FULL_BYTES,
    Frontier,
    TileId,
    TilePathMalformed,
    node_reader,
    parse_tile_path,
    pyramid,
    tile_path,
    tile_root,
    tile_width,
)

LEAVES = [leaf_hash(b"%d" % i) for i in range(70_000)]


def tiles_of(sizes: list[int]) -> tuple[Frontier, dict[tuple[int, int], bytes]]:
    """Grows a tree to each size in turn, keeping what changed, as a store does."""
    frontier, tiles = Frontier(), {}
    for size in sizes:
        tiles.update(frontier.extend(LEAVES[frontier.size : size]))
    return frontier, tiles


GROWN, TILES = tiles_of([1, 255, 256, 257, 600, 65_535, 65_536, 65_800, 70_000])


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (TileId(0, 0), "tile/0/000"),
        (TileId(0, 1_234_067), "tile/0/x001/x234/067"),
        (TileId(0, 1_234_067, 8), "tile/0/x001/x234/067.p/8"),
        (TileId(1, 17, 255), "tile/1/017.p/255"),
        (TileId(ENTRIES, 1000), "tile/entries/x001/000"),
        (TileId(63, 999, 1), "tile/63/999.p/1"),
    ],
)
def test_paths(tile: TileId, path: str) -> None:
    assert tile_path(tile) == path
    assert parse_tile_path(path) == tile


@settings(deadline=None)
@given(st.integers(-1, 63), st.integers(0, 10**12), st.integers(1, 256))
def test_every_path_leads_back_to_its_tile(level: int, index: int, width: int) -> None:
    tile = TileId(level, index, width)
    assert parse_tile_path(tile_path(tile)) == tile


@pytest.mark.parametrize("path", [
    "", "tile/", "tile/0", "tile/0/0", "tile/0/1000", "tile/0/x000/001", "tile/0/001/002", "tile/0/x001", "tile/64/000",
    "tile/00/000", "tile/-1/000", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/000.p/", "0/000",
    "tile/0/000/", "tile/0/..", "tile/0/000\n", "tile/0/٠٠٠", "tile/entries/000.p/300",
    "tile/0/" + "x001/" * 50 + "001",
])  # fmt: skip
def test_refuses_other_spellings_of_a_path(path: str) -> None:
    with pytest.raises(TilePathMalformed):
        parse_tile_path(path)


def test_widths_of_the_example_of_70_000_entries() -> None:
    widths = {(level, index): tile_width(level, index, 70_000) for level in range(3) for index in range(275)}
    assert [widths[0, i] for i in (0, 272, 273, 274)] == [256, 256, 112, 0]
    assert [widths[1, i] for i in (0, 1, 2)] == [256, 17, 0]
    assert [widths[2, i] for i in (0, 1)] == [1, 0]


def test_the_kept_tiles_are_exactly_those_of_the_tree() -> None:
    assert {key: len(hashes) // HASH_BYTES for key, hashes in TILES.items()} == {
        (level, index): tile_width(level, index, 70_000)
        for level in range(3)
        for index in range(275)
        if tile_width(level, index, 70_000)
    }
    assert b"".join(TILES[0, i] for i in range(274)) == b"".join(LEAVES)
    assert TILES[1, 0][:32] == root_of(LEAVES[:256]) == tile_root(TILES[0, 0])
    assert TILES[2, 0] == root_of(LEAVES[:65_536]) == tile_root(TILES[1, 0])
    assert GROWN.root() == root_of(LEAVES)


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 511, 512, 600, 4097, 65_535, 65_536, 65_537, 69_999, 70_000])
def test_a_frontier_of_any_earlier_size_loads_from_later_tiles(size: int) -> None:
    loaded = Frontier.load(size, lambda level, index: TILES.get((level, index), b""))
    assert loaded.root() == root_of(LEAVES[:size])
    loaded.extend(LEAVES[size : size + 300])
    assert loaded.root() == root_of(LEAVES[: size + 300])


def test_a_frontier_refuses_a_tile_that_is_too_narrow() -> None:
    with pytest.raises(ValueError, match="too narrow"):
        Frontier.load(300, lambda level, index: TILES[level, index][: 40 * HASH_BYTES] if level == 0 else b"")


@settings(deadline=None)
@given(st.lists(st.integers(0, 700), max_size=12))
def test_growing_in_any_steps_gives_the_same_tiles(steps: list[int]) -> None:
    sizes = [sum(steps[: i + 1]) for i in range(len(steps))]
    frontier, tiles = tiles_of(sizes)
    whole, at_once = tiles_of(sizes[-1:])
    assert frontier.root() == whole.root()
    assert tiles == at_once


@settings(deadline=None)
@given(st.integers(1, 70_000), st.data())
def test_proofs_from_tiles_verify(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))

    def pyramid_of(level: int, at: int) -> list[list[bytes]]:
        return pyramid(TILES[level, at][: tile_width(level, at, size) * HASH_BYTES])

    proof = inclusion_proof(index, size, node_reader(pyramid_of))
    root = Frontier.load(size, lambda level, at: TILES.get((level, at), b"")).root()
    check_inclusion(LEAVES[index], index, size, proof, root)


def test_a_full_tile_takes_8192_bytes() -> None:
    assert len(TILES[0, 0]) == FULL_BYTES == 8192


@settings(deadline=None)
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=256))
def test_bundles_hold_entries_behind_16_bit_lengths(entries: list[bytes]) -> None:
    bundle = dump_bundle(entries)
    assert bundle == b"".join(len(e).to_bytes(2, "big") + e for e in entries)
    assert list(bundled(bundle)) == entries


def test_a_bundle_takes_the_largest_entry_and_refuses_a_larger_one() -> None:
    assert list(bundled(dump_bundle([b"x" * 65_535]))) == [b"x" * 65_535]
    with pytest.raises(EntryTooLarge):
        dump_bundle([b"x" * 65_536])
