"""Reading back with proof: whatever comes from the store must lead to the root that the keeper holds.

A full tile is right when its root stands at its place in the tile above, and so on up to the frontier, which is in
memory. Full tiles never change, so one that was checked is remembered.
"""

from __future__ import annotations

from collections.abc import Iterator

from hsmpub.tlog.committer import Held
from hsmpub.tlog.merkle import HASH_BYTES, leaf_hash
from hsmpub.tlog.rules import LogAltered, LogTruncated
from hsmpub.tlog.store import Rows
from hsmpub.tlog.tile import FULL_BYTES, HEIGHT, WIDTH, Frontier, tile_root

TILES_REMEMBERED = 1024  # of 8 KiB


class VerifiedRows:
    """Entries of `rows`, each checked against what is held at the time of the call."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._checked: dict[tuple[int, int], bytes] = {}

    def entry(self, held: Held, index: int) -> bytes:
        """Raises LogAltered, LogTruncated; each names the index."""
        found = self._rows.entries(index, index + 1)
        if not found:
            raise LogTruncated(f"Entry {index} is missing from the log.", index)
        entry = found[0][1]
        at = index % WIDTH * HASH_BYTES
        if leaf_hash(entry) != self._leaves(held, index // WIDTH, index)[at : at + HASH_BYTES]:
            raise LogAltered(f"Entry {index} of the log is not what was logged.", index)
        return entry

    def entries(self, held: Held, start: int, stop: int) -> Iterator[tuple[int, bytes]]:
        """Index and bytes of each entry of [start, stop). Raises LogAltered, LogTruncated."""
        while start < stop:
            end = min(stop, (start // WIDTH + 1) * WIDTH)
            found = self._rows.entries(start, end)
            leaves = self._leaves(held, start // WIDTH, start)
            for expected, (index, entry) in enumerate(found, start):
                if index != expected:
                    raise LogTruncated(f"Entry {expected} is missing from the log.", expected)
                at = index % WIDTH * HASH_BYTES
                if leaf_hash(entry) != leaves[at : at + HASH_BYTES]:
                    raise LogAltered(f"Entry {index} of the log is not what was logged.", index)
            if start + len(found) != end:
                missing = start + len(found)
                raise LogTruncated(f"Entry {missing} is missing from the log.", missing)
            yield from found
            start = end

    def _leaves(self, held: Held, tile: int, wanted: int) -> bytes:
        return self._tile(held.frontier, held.size, 0, tile, wanted)

    def _tile(self, frontier: Frontier, size: int, level: int, index: int, wanted: int) -> bytes:
        """The tile's hashes, checked."""
        if index == size >> HEIGHT * (level + 1):
            return bytes(frontier.edges[level])
        checked = self._checked.get((level, index))
        if checked is not None:
            return checked
        hashes = self._rows.tile(level, index)
        above = self._tile(frontier, size, level + 1, index // WIDTH, wanted)
        at = index % WIDTH * HASH_BYTES
        if len(hashes) != FULL_BYTES or tile_root(hashes) != above[at : at + HASH_BYTES]:
            self._blame(level, index, above[at : at + HASH_BYTES], wanted)
        if len(self._checked) >= TILES_REMEMBERED:
            self._checked.pop(next(iter(self._checked)))
        self._checked[level, index] = hashes
        return hashes

    def _blame(self, level: int, index: int, root: bytes, wanted: int) -> None:
        """Says what was altered: the hash tile, or an entry together with it."""
        first = index << HEIGHT * (level + 1)
        last = first + (WIDTH << HEIGHT * level) - 1
        if level == 0:
            leaves = b"".join(leaf_hash(entry) for _, entry in self._rows.entries(first, last + 1))
            if len(leaves) != FULL_BYTES or tile_root(leaves) != root:
                raise LogAltered(f"Entry {wanted} of the log is not what was logged, nor are its hashes "
                                 f"(entries {first} to {last}).", wanted)  # fmt: skip
        raise LogAltered(f"Hash tile {level}/{index} over the entries {first} to {last} was altered; "
                         f"entry {wanted} cannot be verified.", wanted)  # fmt: skip
