"""Reads compound files (OLE 2), the container of Windows installers: a small file system of sectors.

Bounded: a sector belongs to one chain, so no chain loops and nothing is read twice; the directory, its depth, and what
is held in memory have limits. Source: Microsoft, [MS-CFB] "Compound File Binary File Format", versions 3 and 4.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from typing import NamedTuple

from hsmpub.errors import Invalid
from hsmpub.formats.source import Source
from hsmpub.formats.spliced import Kept, Part, as_bytes
from hsmpub.formats.windows.compound_chains import MAX_RUNS, Run, neighbours, runs_of, words_of
from hsmpub.formats.windows.storage import MAX_ENTRIES, CompoundMalformed, Directory, Entry, read_directory

MAGIC = bytes.fromhex("d0cf11e0a1b11ae1")
#: Version 3 holds no more, and Windows installs no larger packages.
MAX_BYTES = 2 << 30
MINI_CUTOFF, MINI_SECTOR = 4096, 64
HEADER_DIFAT = 109
_MAX_MINI_BYTES = MAX_ENTRIES * MINI_CUTOFF
_MAX_MINI_FAT_BYTES = _MAX_MINI_BYTES // MINI_SECTOR * 4
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
    """What a compound file holds, and where. root: its storages and streams; sector: bytes of one, 512 or 4096.

    Nothing here reads the file later: a stream is read from a source of the same content.

    Raises:
        CompoundMalformed, CompoundTooLarge, FileTooShort.
    """

    def __init__(self, source: Source) -> None:
        file = _Sectors(source)
        self.sector = file.sector
        self.root: Directory = read_directory(file.directory, wide=self.sector != 512)
        mini = self.root.entry
        if mini.size > _MAX_MINI_BYTES:
            raise CompoundMalformed("The small streams of the file are longer than all together can be.")
        self._mini = file.whole(mini.start, _MAX_MINI_BYTES)[: mini.size] if mini.size else b""
        small = words_of(file.whole(file.header.mini_fat, _MAX_MINI_FAT_BYTES) if mini.size else b"")
        used = bytearray(-(-len(self._mini) // MINI_SECTOR))
        self._chains: dict[Entry, list[Run]] = {}
        for entry in self.root.streams():
            if entry.size >= MINI_CUTOFF:
                self._chains[entry] = file.chain(entry)
            else:
                self._chains[entry] = _small_chain(entry, small, used, len(self._mini))
        if sum(map(len, self._chains.values())) > MAX_RUNS:
            raise CompoundMalformed("The file lies in too many pieces.")

    def stream(self, source: Source, entry: Entry) -> Iterator[bytes]:
        """A stream's content, piece by piece. source: of the file as it was read."""
        return as_bytes(source, self.parts(entry))

    def parts(self, entry: Entry) -> Iterator[Part]:
        """A stream's content, by where it lies."""
        left = entry.size
        for at, length in self._chains[entry]:
            step = min(length, left)
            yield self._mini[at : at + step] if entry.size < MINI_CUTOFF else Kept(at, step)
            left -= step


class _Sectors:
    """The sectors of a file, none of which serves twice."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.header = _read_header(source)
        self.sector = self.header.sector
        self._count = -(-max(0, source.size - self.sector) // self.sector)
        self._used = bytearray(self._count)
        self._fat = self._read_fat(self.header)
        self.directory = self.whole(self.header.directory, MAX_ENTRIES * 128)

    def chain(self, entry: Entry) -> list[Run]:
        """Ranges of the file that hold a stream, in its order."""
        runs = runs_of(self._fat, self._used, entry.start)
        ranges = [((first + 1) * self.sector, count * self.sector) for first, count in runs]
        if sum(min(length, self._source.size - at) for at, length in ranges) < entry.size:
            raise CompoundMalformed("A stream of the file is shorter than it says.")
        return ranges

    def whole(self, start: int, limit: int) -> bytes:
        """A chain of sectors, at once."""
        runs = runs_of(self._fat, self._used, start)
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
        places, at = words_of(header.places), header.difat
        for _ in range(header.difats):
            sector = words_of(self._taken(at, 1))
            places.extend(sector[:-1])
            at = sector[-1]
        if len(places) < header.fats:
            raise CompoundMalformed("The file's table of sectors has a hole.")
        fat = array("I")
        for first, count in neighbours(places[: header.fats]):
            fat.extend(words_of(self._taken(first, count)))
        return fat[: self._count]

    def _taken(self, first: int, count: int) -> bytes:
        if first + count > self._count or self._used.find(1, first, first + count) >= 0:
            raise CompoundMalformed("A sector of the file lies outside it or serves twice.")
        self._used[first : first + count] = b"\1" * count
        return self._at(first, count)


def _small_chain(entry: Entry, table: array[int], used: bytearray, held: int) -> list[Run]:
    """Ranges among the small streams, `held` bytes in all, that hold a stream of these."""
    if not entry.size:
        return []
    runs = runs_of(table, used, entry.start)
    ranges = [(first * MINI_SECTOR, count * MINI_SECTOR) for first, count in runs]
    if sum(min(length, held - at) for at, length in ranges) < entry.size:
        raise CompoundMalformed("A stream of the file is shorter than it says.")
    return ranges


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
