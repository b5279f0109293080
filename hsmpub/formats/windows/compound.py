"""Reads compound files (OLE 2), the container of Windows installers: a small file system of sectors.

Bounded: a sector belongs to one chain, so no chain loops and nothing is read twice; the directory, its depth, and what
is held in memory have limits. Source: Microsoft, [MS-CFB] "Compound File Binary File Format", versions 3 and 4.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterator
from typing import NamedTuple

from hsmpub.errors import Invalid
from hsmpub.formats.source import Source, pieces
from hsmpub.formats.windows.storage import MAX_ENTRIES, CompoundMalformed, Directory, Entry, read_directory

MAGIC = bytes.fromhex("d0cf11e0a1b11ae1")
#: Version 3 holds no more, and Windows installs no larger packages.
MAX_BYTES = 2 << 30
MINI_CUTOFF, MINI_SECTOR = 4096, 64
END = 0xFFFFFFFE
HEADER_DIFAT = 109
_MAX_MINI_BYTES = MAX_ENTRIES * MINI_CUTOFF
_MAX_MINI_FAT_BYTES = _MAX_MINI_BYTES // MINI_SECTOR * 4
#: Each piece of a stream that lies apart costs memory.
MAX_RUNS = 1 << 17
#: From minor version on: major version, byte order, shifts, six reserved; counts and places; 109 places of the FAT.
HEADER = struct.Struct("<8s16sHHHHH6sIIIIIIIII436s")


class CompoundTooLarge(Invalid):
    advice = "Ship large files beside the package instead of within it."


class Header(NamedTuple):
    """Of the fields that matter. sector: bytes; the others are counts of sectors, and where chains begin."""

    sector: int
    fats: int
    directory: int
    mini_fat: int
    difat: int
    difats: int
    places: bytes


class CompoundFile:
    """An open compound file. root: its storages and streams; sector: bytes of one, 512 or 4096.

    Raises:
        CompoundMalformed, CompoundTooLarge, FileTooShort.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        header = _read_header(source)
        self.sector = header.sector
        self._count = -(-max(0, source.size - self.sector) // self.sector)
        self._used = bytearray(self._count)
        self._fat = self._read_fat(header)
        directory = self._whole(header.directory, MAX_ENTRIES * 128)
        self.root: Directory = read_directory(directory, wide=self.sector != 512)
        mini = self.root.entry
        if mini.size > _MAX_MINI_BYTES:
            raise CompoundMalformed("The small streams of the file are longer than all together can be.")
        self._mini = self._whole(mini.start, _MAX_MINI_BYTES)[: mini.size] if mini.size else b""
        self._mini_fat = _words(self._whole(header.mini_fat, _MAX_MINI_FAT_BYTES) if mini.size else b"")
        self._mini_used = bytearray(-(-len(self._mini) // MINI_SECTOR))
        self._chains = {entry: self._chain_of(entry) for entry in self.root.streams()}
        if sum(map(len, self._chains.values())) > MAX_RUNS:
            raise CompoundMalformed("The file lies in too many pieces.")

    def stream(self, entry: Entry) -> Iterator[bytes]:
        """A stream's content, piece by piece."""
        left = entry.size
        for at, length in self._chains[entry]:
            step = min(length, left)
            if entry.size < MINI_CUTOFF:
                yield self._mini[at : at + step]
            else:
                yield from pieces(self._source, at, step)
            left -= step

    def _chain_of(self, entry: Entry) -> list[tuple[int, int]]:
        """Ranges that hold a stream, in its order: offsets in the file, or among the small streams."""
        if not entry.size:
            return []
        if entry.size < MINI_CUTOFF:
            runs = _runs(self._mini_fat, self._mini_used, entry.start)
            ranges = [(first * MINI_SECTOR, count * MINI_SECTOR) for first, count in runs]
            held = sum(min(length, len(self._mini) - at) for at, length in ranges)
        else:
            runs = _runs(self._fat, self._used, entry.start)
            ranges = [((first + 1) * self.sector, count * self.sector) for first, count in runs]
            held = sum(min(length, self._source.size - at) for at, length in ranges)
        if held < entry.size:
            raise CompoundMalformed("A stream of the file is shorter than it says.")
        return ranges

    def _whole(self, start: int, limit: int) -> bytes:
        """A chain of sectors, at once."""
        runs = _runs(self._fat, self._used, start)
        if sum(count for _, count in runs) * self.sector > limit + self.sector:
            raise CompoundMalformed("The file has a longer directory than any package needs.")
        return b"".join(self._at(first, count) for first, count in runs)

    def _at(self, first: int, count: int) -> bytes:
        offset, length = (first + 1) * self.sector, count * self.sector
        # the last sector of a file may be cut
        data = self._source.read(offset, min(length, self._source.size - offset))
        return data.ljust(length, b"\0")

    def _read_fat(self, header: Header) -> array[int]:
        """Of each sector the one that follows it in its chain."""
        per = self.sector // 4
        if header.fats > self._count // per + 2 or header.difats > header.fats // (per - 1) + 1:
            raise CompoundMalformed("The file's table of sectors is longer than the file.")
        places, at = _words(header.places), header.difat
        for _ in range(header.difats):
            sector = _words(self._taken(at))
            places.extend(sector[:-1])
            at = sector[-1]
        if len(places) < header.fats:
            raise CompoundMalformed("The file's table of sectors has a hole.")
        fat = array("I")
        for place in places[: header.fats]:
            fat.extend(_words(self._taken(place)))
        return fat[: self._count]

    def _taken(self, sector: int) -> bytes:
        if sector >= self._count or self._used[sector]:
            raise CompoundMalformed("A sector of the file lies outside it or serves twice.")
        self._used[sector] = 1
        return self._at(sector, 1)


def _read_header(source: Source) -> Header:
    """Raises CompoundMalformed, CompoundTooLarge."""
    if source.size < HEADER.size or source.read(0, 8) != MAGIC:
        raise CompoundMalformed("This is no compound file.")
    if source.size > MAX_BYTES:
        raise CompoundTooLarge("The package has over 2 GiB.")
    (_, _, _, major, order, shift, mini_shift, _, _, fats, directory, _, cutoff, mini_fat, _, difat, difats,
     places) = HEADER.unpack(source.read(0, HEADER.size))  # fmt: skip
    if (major, shift) not in ((3, 9), (4, 12)) or (order, mini_shift, cutoff) != (0xFFFE, 6, MINI_CUTOFF):
        raise CompoundMalformed("The compound file is of an unknown version.")
    return Header(1 << shift, fats, directory, mini_fat, difat, difats, places)


def _runs(table: array[int], used: bytearray, start: int) -> list[tuple[int, int]]:
    """A chain as runs of neighbours (first, how many). Raises CompoundMalformed."""
    runs, at, room = [], start, min(len(table), len(used))
    while at != END:
        first = at
        while True:
            if at >= room or used[at]:
                raise CompoundMalformed("A chain of sectors leads outside the file, or into another.")
            used[at] = 1
            following = table[at]
            if following != at + 1:
                break
            at = following
        runs.append((first, at - first + 1))
        at = following
        if len(runs) > MAX_RUNS:
            raise CompoundMalformed("The file lies in too many pieces.")
    return runs


def _words(data: bytes) -> array[int]:
    """32-bit numbers, little-endian."""
    words = array("I", data[: len(data) & ~3])
    if sys.byteorder == "big":
        words.byteswap()
    return words
