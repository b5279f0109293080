"""The seam between the log and where it is kept: one small protocol, an SQLite and an in-memory store behind it.

A store is trusted with nothing: what is read from it is checked against the root that the keeper holds.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

_STAMP_CONTEXT = b"hsmpub log commit v1"


class Stamp(msgspec.Struct, frozen=True):
    """The keeper's own mark on a commit: proves after a crash that the keeper wrote it. mac: HMAC-SHA256, raw."""

    size: int
    root: bytes
    mac: bytes


def make_stamp(key: bytes, size: int, root: bytes) -> Stamp:
    """Marks the log of this size and root with the head file's key (32 bytes)."""
    return Stamp(size, root, hmac.digest(key, _STAMP_CONTEXT + size.to_bytes(8, "big") + root, "sha256"))


def is_own_stamp(key: bytes, stamp: Stamp) -> bool:
    return hmac.compare_digest(make_stamp(key, stamp.size, stamp.root).mac, stamp.mac)


class Commit(msgspec.Struct, frozen=True):
    """What becomes durable together.

    Attributes:
        first: index of the first entry, where the store ends now.
        tiles: `(level, index)` → all hashes of each tile that changed.
        stamp: replaces the one before.
        checkpoint: size and signed note, or None.
    """

    first: int
    entries: Sequence[bytes]
    tiles: Mapping[tuple[int, int], bytes]
    stamp: Stamp
    checkpoint: tuple[int, bytes] | None = None


class Rows(Protocol):
    """Reading. Every method raises LogDamaged when the store cannot be read, LogUnavailable when it may be later."""

    def size(self) -> int:
        """One more than the highest index of an entry."""

    def entries(self, start: int, stop: int) -> list[tuple[int, bytes]]:
        """Index and bytes of what is there of [start, stop), in order."""

    def find_last(self, prefix: bytes, containing: bytes, before: int) -> int | None:
        """Index of the last entry below `before` with this prefix and content; may read everything below."""

    def tile(self, level: int, index: int) -> bytes:
        """The tile's hashes as wide as they are known; empty when it is not there."""

    def stamp(self) -> Stamp | None:
        """Stamp of the last commit."""

    def checkpoint(self) -> tuple[int, bytes] | None:
        """Size and note of the newest checkpoint."""

    def close(self) -> None:
        """Lets everything go; may be called twice."""


class Store(Rows, Protocol):
    """Writing: by one thread at a time."""

    def commit(self, commit: Commit) -> None:
        """All of it durable, or nothing.

        Raises:
            LogUnavailable: disk full, I/O error, locked: nothing was promised, but it may be there all the same.
            LogDamaged: an entry is there already.
        """

    def rewind(self, stamp: Stamp) -> None:
        """Takes entries from `stamp.size` on away again, after a commit that was not acknowledged.

        Raises:
            LogUnavailable: see `commit`.
        """
