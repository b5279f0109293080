"""Hash tiles: how the tree is stored and served. Pure.

A tile holds up to 256 consecutive hashes of one level: of the leaves at level 0, of full tiles of the level below
above it. A partial tile is a prefix of the full one, so whoever has a tile has every narrower one.
Source: C2SP tlog-tiles.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from hsmpub.errors import Invalid
from hsmpub.tlog.merkle import HASH_BYTES, CompactRange, NodeReader, node_hash

HEIGHT = 8
WIDTH = 1 << HEIGHT
FULL_BYTES = WIDTH * HASH_BYTES
MAX_LEVEL = 63
_PATH = re.compile(
    r"(?P<level>entries|0|[1-9][0-9]?)/(?P<index>(?:x[0-9]{3}/)*[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)

#: `(level, index)` → the tile's hashes, as wide as they are known.
TileReader = Callable[[int, int], bytes]


class TilePathMalformed(Invalid):
    advice = "Tile paths look like tile/0/x001/234 or tile/entries/x001/234.p/17."


@dataclass(frozen=True, slots=True)
class TileId:
    """A tile or entry bundle. level: 0 to 63, or -1 for a bundle; width: 1 to 256 hashes or entries."""

    level: int
    index: int
    width: int = WIDTH


ENTRIES = -1


def tile_path(tile: TileId) -> str:
    """Path under the log's prefix, e.g. `tile/0/x001/x234/067.p/8`."""
    digits = f"{tile.index:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
    name = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
    level = "entries" if tile.level == ENTRIES else str(tile.level)
    return f"tile/{level}/{name}" + (f".p/{tile.width}" if tile.width < WIDTH else "")


def parse_tile_path(path: str) -> TileId:
    """The tile of a path (`tile/…`).

    Raises:
        TilePathMalformed: not exactly the form that `tile_path` gives.
    """
    match = _PATH.fullmatch(path.removeprefix("tile/")) if path.startswith("tile/") and len(path) < 64 else None
    if match is None:
        raise TilePathMalformed(f"{path[:80]!r} is no tile path.")
    level = ENTRIES if match["level"] == "entries" else int(match["level"])
    index = int(match["index"].replace("x", "").replace("/", ""))
    tile = TileId(level, index, int(match["width"] or WIDTH))
    if level > MAX_LEVEL or tile_path(tile) != path:
        raise TilePathMalformed(f"{path[:80]!r} is no tile path.")
    return tile


def tile_width(level: int, index: int, size: int) -> int:
    """How many hashes (0 to 256) the tile has in a tree of `size`; bundles (level -1) are as level 0."""
    return max(0, min(WIDTH, (size >> HEIGHT * max(level, 0)) - index * WIDTH))


def split_hashes(hashes: bytes) -> list[bytes]:
    return [hashes[i : i + HASH_BYTES] for i in range(0, len(hashes), HASH_BYTES)]


def pyramid(hashes: bytes) -> list[list[bytes]]:
    """All complete nodes over a tile's hashes: `[height][i]`, height 0 (the hashes themselves) to at most 8."""
    rows = [split_hashes(hashes)]
    while len(rows[-1]) > 1:
        below = rows[-1]
        rows.append([node_hash(below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)])
    return rows


def tile_root(hashes: bytes) -> bytes:
    """Root of a full tile: its hash in the tile above."""
    return pyramid(hashes)[HEIGHT][0]


def node_reader(pyramid_of: Callable[[int, int], list[list[bytes]]]) -> NodeReader:
    """Reads any complete node from the pyramids of the tiles `(level, index)`."""

    def node(level: int, index: int) -> bytes:
        tile_level, height = divmod(level, HEIGHT)
        shift = HEIGHT - height
        return pyramid_of(tile_level, index >> shift)[height][index & ((1 << shift) - 1)]

    return node


class Frontier:
    """The right edge of the tree: a compact range, and the growing tile of each level.

    Small (a few tiles), and enough to append, to give the root, and to anchor every full tile to it.
    """

    __slots__ = ("edges", "range")

    def __init__(self) -> None:
        self.range = CompactRange()
        self.edges: list[bytearray] = [bytearray()]

    @property
    def size(self) -> int:
        return self.range.size

    def root(self) -> bytes:
        return self.range.root()

    def copy(self) -> Frontier:
        twin = Frontier.__new__(Frontier)
        twin.range = self.range.copy()
        twin.edges = list(map(bytearray, self.edges))
        return twin

    @classmethod
    def made_of(cls, size: int, nodes: Iterable[bytes], edges: Iterable[bytes]) -> Frontier:
        """The frontier whose parts these are. Raises ValueError: size and nodes do not fit."""
        self = cls.__new__(cls)
        self.range = CompactRange(size, nodes)
        self.edges = list(map(bytearray, edges))
        return self

    @classmethod
    def load(cls, size: int, tile: TileReader) -> Frontier:
        """The frontier of a tree of `size` from its rightmost tiles, cut to the width that belongs to `size`."""
        self = cls()
        self.edges, nodes = [], []
        level = 0
        while size >> HEIGHT * level or level == 0:
            index, width = divmod(size >> HEIGHT * level, WIDTH)
            hashes = tile(level, index)[: width * HASH_BYTES] if width else b""
            if len(hashes) != width * HASH_BYTES:
                raise ValueError(f"tile {level}/{index} is too narrow")
            self.edges.append(bytearray(hashes))
            rows = pyramid(hashes)
            for height in range(HEIGHT):  # smallest subtrees first
                if width >> height & 1:
                    nodes.append(rows[height][(width >> height) - 1])
            level += 1
        self.range = CompactRange(size, nodes[::-1])
        return self

    def extend(self, leaves: Sequence[bytes]) -> Mapping[tuple[int, int], bytes]:
        """Appends leaf hashes. Returns the tiles that changed: `(level, index)` → all their hashes."""
        changed: dict[tuple[int, int], bytes] = {}
        if not leaves:
            return changed
        grown, edges, bottom = self.range, self.edges, self.edges[0]
        touched = 1
        at = 0
        while at < len(leaves):
            room = WIDTH - grown.size % WIDTH
            some = leaves[at : at + room]
            at += room
            completed = grown.extend(some)
            bottom += b"".join(some)
            if len(some) == room:
                touched = max(touched, self._carry(completed, changed))
        for level in range(min(touched, len(edges))):
            if edges[level]:
                changed[level, grown.size >> HEIGHT * (level + 1)] = bytes(edges[level])
        return changed

    def _carry(self, completed: Sequence[bytes], changed: dict[tuple[int, int], bytes]) -> int:
        """Closes the tiles that are full now, and puts their roots into the levels above."""
        level = 0
        while len(self.edges[level]) == FULL_BYTES:
            changed[level, (self.range.size >> HEIGHT * (level + 1)) - 1] = bytes(self.edges[level])
            self.edges[level].clear()
            if level + 1 == len(self.edges):
                self.edges.append(bytearray())
            self.edges[level + 1] += completed[HEIGHT * (level + 1) - 1]
            level += 1
        return level + 1
