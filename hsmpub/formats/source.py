"""A file as the formats read it: any bytes at any place, never the whole of it at once.

Formats that are put *into* a file (a package, an executable) find what they need by reading headers and hashing ranges.
Whoever opens the file brings the reading: the client for a file that stays there, the keeper for one that was uploaded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Protocol

from hsmpub.errors import Invalid

#: Ranges are read in pieces of at most this many bytes, so memory stays the same for a file of any size.
PIECE_BYTES = 1 << 20


class FileTooShort(Invalid):
    advice = "The file is cut short: build it again, or fetch it again."


class Source(Protocol):
    """size: bytes in all."""

    @property
    def size(self) -> int: ...

    def read(self, offset: int, length: int) -> bytes:
        """Exactly these bytes. Raises FileTooShort: they are not all there."""


class BytesSource:
    """A file that is at hand as bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def size(self) -> int:
        return len(self._data)

    def read(self, offset: int, length: int) -> bytes:
        check_range(self, offset, length)
        return self._data[offset : offset + length]


def check_range(source: Source, offset: int, length: int) -> None:
    """Raises FileTooShort unless the range lies within the file."""
    if offset < 0 or length < 0 or offset + length > source.size:
        raise FileTooShort(f"The file ends after {source.size:,} bytes, before something that it announces.")


def pieces(source: Source, offset: int, length: int) -> Iterator[bytes]:
    """A range, piece by piece. Raises FileTooShort."""
    check_range(source, offset, length)
    end = offset + length
    while offset < end:
        step = min(PIECE_BYTES, end - offset)
        yield source.read(offset, step)
        offset += step


def hash_ranges(source: Source, *ranges: tuple[int, int], algorithm: str = "sha256") -> bytes:
    """Digest over ranges (offset, length), one after the other. Raises FileTooShort."""
    state = hashlib.new(algorithm)
    for offset, length in ranges:
        for piece in pieces(source, offset, length):
            state.update(piece)
    return state.digest()


#: format name → what that format needs to know of a file beside its hash; absent where nothing is needed.
Details = Mapping[str, bytes]
