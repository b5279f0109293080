"""Merkle tree hashing, compact ranges, and the making of proofs. Pure; all hashes are raw SHA-256.

Proofs are checked in hsmpub.tlog.merkle_check, by other algorithms. Source: RFC 6962, section 2.1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

HASH_BYTES = 32
#: Root of the tree without entries: SHA-256 of nothing.
EMPTY_ROOT = sha256(b"").digest()

#: `(level, index)` → hash of the complete subtree of 2^level leaves that starts at leaf `index * 2^level`.
NodeReader = Callable[[int, int], bytes]


def leaf_hash(entry: bytes) -> bytes:
    """Hash of an entry as a leaf. Source: RFC 6962, section 2.1."""
    return sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node. Source: RFC 6962, section 2.1."""
    return sha256(b"\1" + left + right).digest()


def leaf_hashes(entries: Iterable[bytes]) -> list[bytes]:
    """`leaf_hash` of each, for whoever has many."""
    return [sha256(b"\0" + entry).digest() for entry in entries]


class CompactRange:
    """The roots of the complete subtrees, largest first, that cover `size` leaves: all that growing a tree takes."""

    __slots__ = ("nodes", "size")

    def __init__(self, size: int = 0, nodes: Iterable[bytes] = ()) -> None:
        self.size = size
        self.nodes = list(nodes)
        if len(self.nodes) != size.bit_count():
            raise ValueError("a compact range holds one node for each set bit of its size")

    def extend(self, leaves: Iterable[bytes]) -> Sequence[bytes]:
        """Adds leaf hashes, amortised one hash for each. Returns the nodes that the last completed, level 1 first."""
        size, nodes = self.size, self.nodes
        completed: list[bytes] = []
        for leaf in leaves:
            node, rest, completed = leaf, size, []
            while rest & 1:
                node = sha256(b"\1" + nodes.pop() + node).digest()
                completed.append(node)
                rest >>= 1
            nodes.append(node)
            size += 1
        self.size = size
        return completed

    def root(self) -> bytes:
        """Root of the tree of `size` leaves."""
        return fold_right(self.nodes)

    def copy(self) -> CompactRange:
        return CompactRange(self.size, self.nodes)


def fold_right(nodes: Sequence[bytes]) -> bytes:
    """Root over the roots of complete subtrees, largest first."""
    if not nodes:
        return EMPTY_ROOT
    root = nodes[-1]
    for node in reversed(nodes[:-1]):
        root = sha256(b"\1" + node + root).digest()
    return root


def _complete_subtrees(start: int, stop: int) -> Iterable[tuple[int, int]]:
    """(level, index) of the complete subtrees that make up [start, stop), where `start` is aligned to them."""
    while start < stop:
        level = (stop - start).bit_length() - 1
        yield level, start >> level
        start += 1 << level


def range_root(start: int, stop: int, node: NodeReader) -> bytes:
    """Root of the leaves [start, stop) of a tree in which that range is a subtree or the right edge."""
    return fold_right([node(level, index) for level, index in _complete_subtrees(start, stop)])


def _split(size: int) -> int:
    """The largest power of two smaller than `size`."""
    return 1 << (size - 1).bit_length() - 1


def inclusion_ranges(index: int, size: int) -> list[tuple[int, int]]:
    """The leaf ranges whose roots prove entry `index` in the tree of `size`, from the leaf's sibling upwards."""
    if not 0 <= index < size:
        raise ValueError(f"entry {index} is not in a tree of {size}")
    ranges, start, stop = [], 0, size
    while stop - start > 1:
        middle = start + _split(stop - start)
        if index < middle:
            ranges.append((middle, stop))
            stop = middle
        else:
            ranges.append((start, middle))
            start = middle
    return ranges[::-1]


def inclusion_proof(index: int, size: int, node: NodeReader) -> list[bytes]:
    """Audit path of entry `index` in the tree of `size`: the leaf's sibling first. Source: RFC 6962, 2.1.1."""
    return [range_root(start, stop, node) for start, stop in inclusion_ranges(index, size)]
