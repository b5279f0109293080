"""The log as a service serves it, read with proof: whatever comes counts once it leads to the root of a checkpoint that
the pinned log key signed. Pure; the fetching is in hsmpub.client.asks.log.

A full tile is right when its root stands at its place in the tile above, and so on up to the right edge, which is held
against the checkpoint. Source: C2SP tlog-tiles, RFC 6962.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hsmpub.errors import Broken
from hsmpub.tlog.checkpoint import Checkpoint
from hsmpub.tlog.merkle import HASH_BYTES, leaf_hash
from hsmpub.tlog.tile import FULL_BYTES, HEIGHT, WIDTH, Frontier, TileId, tile_root, tile_width


class ServedLogDiffers(Broken):
    advice = "Try again; if it stays, the service does not serve the log that it signed: tell whoever runs it."


def edge_tiles(size: int) -> Iterator[TileId]:
    """The growing tile of each level of a log of `size` entries."""
    level = 0
    while size >> HEIGHT * level:
        index, width = divmod(size >> HEIGHT * level, WIDTH)
        if width:
            yield TileId(level, index, width)
        level += 1


class SignedLog:
    """One checkpoint, verified by the caller, and the tiles that were found to be under it."""

    def __init__(self, checkpoint: Checkpoint, edges: Mapping[int, bytes]) -> None:
        """edges: level → what was served as its growing tile. Raises ServedLogDiffers."""
        self.checkpoint = checkpoint
        self._full: dict[tuple[int, int], bytes] = {}
        try:
            frontier = Frontier.load(checkpoint.size, lambda level, _: edges[level])
        except ValueError:
            raise ServedLogDiffers("The hashes at the end of the log are not whole.") from None
        if frontier.root() != checkpoint.root:
            raise ServedLogDiffers("The hashes that are served do not lead to the root of the signed checkpoint.")
        self._edges = [bytes(edge) for edge in frontier.edges]

    @property
    def size(self) -> int:
        """Entries under the checkpoint."""
        return self.checkpoint.size

    def lacks(self, bundle: int) -> list[TileId]:
        """The tiles to hand to `add`, in this order, before the entries of a bundle can be read."""
        lacking, level, index = [], 0, bundle
        while not self._is_edge(level, index) and (level, index) not in self._full:
            lacking.append(TileId(level, index))
            level, index = level + 1, index // WIDTH
        return lacking[::-1]

    def add(self, tile: TileId, hashes: bytes) -> None:
        """A full tile. Raises ServedLogDiffers."""
        level, index = tile.level + 1, tile.index // WIDTH
        above = self._edges[level] if self._is_edge(level, index) else self._full[level, index]
        at = tile.index % WIDTH * HASH_BYTES
        if len(hashes) != FULL_BYTES or tile_root(hashes) != above[at : at + HASH_BYTES]:
            raise ServedLogDiffers(f"Hash tile {tile.level}/{tile.index} is not the one of the signed log.")
        self._full[tile.level, tile.index] = hashes

    def entries(self, bundle: int, data: bytes) -> list[tuple[int, bytes]]:
        """Index and exact bytes of each entry of a bundle as it was served. Raises ServedLogDiffers."""
        hashes = self._edges[0] if self._is_edge(0, bundle) else self._full[0, bundle]
        found, at = [], 0
        for place in range(tile_width(0, bundle, self.size)):
            end = at + 2 + int.from_bytes(data[at : at + 2], "big")
            entry, index = data[at + 2 : end], bundle * WIDTH + place
            if end > len(data) or leaf_hash(entry) != hashes[place * HASH_BYTES : (place + 1) * HASH_BYTES]:
                raise ServedLogDiffers(f"Entry {index} is not the one of the signed log.")
            found.append((index, entry))
            at = end
        if at != len(data):
            raise ServedLogDiffers(f"More is served behind entry {found[-1][0]} than the log holds.")
        return found

    def _is_edge(self, level: int, index: int) -> bool:
        return index == self.size >> HEIGHT * (level + 1)
