"""A signed file while it is written: it can be read before it is finished, and is verified out of what was written.

The file is known part by part before the first byte of it is written (hsmpub.formats.spliced), so it is made in blocks,
in any order. One thread writes them front to back and onto the disk; who reads a block that is not there yet writes it.
Each block is written once and then only read, so what was read is what the file holds. Large files are taken out of
the system's memory behind both: they push out nothing else, and are written with as little memory as they are read.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterable
from threading import Condition

from hsmpub.formats.source import Source, check_range
from hsmpub.formats.spliced import Kept, Part

BLOCK_BYTES = 1 << 20
#: So far may writing be ahead of reading; what is read is then still in memory.
_AHEAD = 64
#: So many blocks go to the disk at once.
_SYNCED_AT_ONCE = 32
#: Smaller files stay in memory, for whatever reads them next.
_LARGE = 256
_ABSENT, _UNDER_WAY, _WRITTEN = range(3)


class NewFile:
    """A source (hsmpub.formats.source) of what the file holds when it is finished.

    Args:
        fd: of an empty file, open for reading and writing, that nobody else writes to.
        source: what kept parts are ranges of; read by two threads.
    """

    def __init__(self, fd: int, source: Source, parts: Iterable[Part]) -> None:
        self._fd = fd
        self._source = source
        self._parts, self._starts, self.size = _placed(parts)
        self._blocks = bytearray(-(-self.size // BLOCK_BYTES))
        self._changed = Condition()
        self._reached = 0  # block at which was read last
        self._stopped = False

    def read(self, offset: int, length: int) -> bytes:
        """As Source.read. Raises what reading the source raises; OSError: the disk refuses."""
        check_range(self, offset, length)
        end = offset + length
        for number in range(offset // BLOCK_BYTES, -(-end // BLOCK_BYTES)):
            self._make(number)
        with self._changed:
            self._reached = end // BLOCK_BYTES
            self._changed.notify_all()
        found = bytearray()
        while len(found) < length:
            piece = os.pread(self._fd, length - len(found), offset + len(found))
            if len(piece) == length:
                return piece
            if not piece:
                raise OSError(None, "it does not hold what was written to it")
            found += piece
        return bytes(found)

    def write(self) -> None:
        """Returns when all of it is on the disk, or it was stopped. Raises as `read`."""
        large, dropped = len(self._blocks) >= _LARGE and hasattr(os, "posix_fadvise"), 0
        for number in range(len(self._blocks)):
            if not self._may_write(number):
                return
            self._make(number)
            if large and (number + 1) % _SYNCED_AT_ONCE == 0:
                os.fdatasync(self._fd)
                dropped = self._drop(dropped, number + 1)
        os.fsync(self._fd)
        if large:
            self._drop(dropped, len(self._blocks))

    def all_read(self) -> None:
        """Nobody reads any more: writing need not wait."""
        with self._changed:
            self._reached = len(self._blocks)
            self._changed.notify_all()

    def stop(self) -> None:
        """The file is not wanted any more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _may_write(self, number: int) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or number <= self._reached + _AHEAD)
            return not self._stopped

    def _make(self, number: int) -> None:
        """Returns when the block is there. Whoever comes first writes it."""
        if self._blocks[number] == _WRITTEN:
            return
        with self._changed:
            self._changed.wait_for(lambda: self._blocks[number] != _UNDER_WAY)
            if self._blocks[number] == _WRITTEN:
                return
            self._blocks[number] = _UNDER_WAY
        state = _ABSENT
        try:
            self._fill(number * BLOCK_BYTES, min((number + 1) * BLOCK_BYTES, self.size))
            state = _WRITTEN
        finally:
            with self._changed:
                self._blocks[number] = state
                self._changed.notify_all()

    def _fill(self, at: int, end: int) -> None:
        pieces, place = [], at
        number = bisect_right(self._starts, at) - 1
        while place < end:
            part, skip = self._parts[number], place - self._starts[number]
            if isinstance(part, Kept):
                size = min(part.size - skip, end - place)
                pieces.append(self._source.read(part.offset + skip, size))
            else:
                pieces.append(bytes(part[skip : skip + end - place]))
            place += len(pieces[-1])
            number += 1
        data = memoryview(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        while data:
            written = os.pwrite(self._fd, data, at)
            at, data = at + written, data[written:]

    def _drop(self, start: int, end: int) -> int:
        """Out of memory with those of the blocks that were read; they are on the disk. Returns: where to go on."""
        end = max(start, min(end, self._reached))
        if end > start:
            os.posix_fadvise(self._fd, start * BLOCK_BYTES, (end - start) * BLOCK_BYTES, os.POSIX_FADV_DONTNEED)
        return end


def _placed(parts: Iterable[Part]) -> tuple[list[Part], list[int], int]:
    """The parts that are not empty, neighbours in the source as one; where each begins; and where the last one ends."""
    placed: list[Part] = []
    starts: list[int] = []
    at = 0
    for part in parts:
        size = part.size if isinstance(part, Kept) else len(part)
        last = placed[-1] if placed else None
        if not size:
            continue
        if isinstance(part, Kept) and isinstance(last, Kept) and last.offset + last.size == part.offset:
            placed[-1] = Kept(last.offset, last.size + size)
        else:
            placed.append(part)
            starts.append(at)
        at += size
    return placed, starts, at
