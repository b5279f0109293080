"""A zip archive's entries, read strictly: the directory and the entries' own headers must say the same.

What two readers could read in two ways is refused: headers that differ, entries that overlap, bytes that belong to no
entry, other names in extra fields; and what hsmpub.formats.zip.listed refuses. Source: PKWARE, APPNOTE.TXT 6.3.10,
sections 4.3 and 4.4.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from hsmpub.formats.source import FileTooShort, Source
from hsmpub.formats.zip.end import End, Zip64NotTaken, ZipMalformed
from hsmpub.formats.zip.listed import DESCRIPTOR, Listed, ZipHasMore, read_list

_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_LOCAL_MARK, _DESCRIPTOR_MARK = b"PK\x03\x04", b"PK\x07\x08"
_ZIP64_EXTRA, _OTHER_NAME_EXTRA = 0x0001, 0x7075


class ZipHeadersDiffer(ZipMalformed):
    pass


class Entry(NamedTuple):
    """record: as the directory has it; start, data, end: offsets of header, of content, and behind the descriptor.

    packed, size: bytes of the content as it is there, and as it was.
    """

    name: str
    record: bytes
    method: int
    crc: int
    packed: int
    size: int
    start: int
    data: int
    end: int

    @property
    def is_folder(self) -> bool:
        return self.name.endswith("/")


class Archive(NamedTuple):
    """entries: as they lie in the file."""

    entries: tuple[Entry, ...]
    end: End

    def find(self, name: str) -> Entry | None:
        return next((entry for entry in self.entries if entry.name == name), None)


def read_archive(source: Source) -> Archive:
    """Raises ZipMalformed and the rules under it; FileTooShort."""
    listed, end = read_list(source)
    return Archive(tuple(read_entry(source, one) for one in listed), end)


def read_entry(source: Source, listed: Listed) -> Entry:
    """Raises ZipMalformed and the rules under it, where the entry itself says something else than the directory."""
    name, record, until = listed
    if 0xFFFFFFFF in (record.size, record.packed, record.start) or _ZIP64_EXTRA in _extras(record.extra):
        raise Zip64NotTaken(f"The entry {name[:80]!r} is in the Zip64 form.")
    try:
        head = source.read(record.start, _LOCAL.size)
        mark, _, flags, method, time, date, crc, packed, size, names, extras = _LOCAL.unpack(head)
        own_name = source.read(record.start + _LOCAL.size, names)
        extra = source.read(record.start + _LOCAL.size + names, extras)
    except FileTooShort:
        raise ZipMalformed(f"The entry {name[:80]!r} is not there.") from None
    said = (record.crc, record.packed, record.size)
    later = bool(flags & DESCRIPTOR)
    same = (flags, method, date << 16 | time, own_name) == (record.flags, record.method, record.stamp, record.name)
    if mark != _LOCAL_MARK or not same or ((crc, packed, size) != said and not (later and crc == packed == size == 0)):
        raise ZipHeadersDiffer(f"The archive says one thing of {name[:80]!r} in its directory, another at the entry.")
    if {_ZIP64_EXTRA, _OTHER_NAME_EXTRA} & (_extras(extra) | _extras(record.extra)):
        raise ZipMalformed(f"The entry {name[:80]!r} has a second name or size.")
    data = record.start + _LOCAL.size + names + extras
    end = data + record.packed
    if later:
        end += _descriptor_size(source, end, until, said)
    if end != until:
        raise ZipHasMore(f"Entries overlap, or something is between them, behind {name[:80]!r}.")
    return Entry(name, record.raw, method, *said, record.start, data, end)


def _descriptor_size(source: Source, at: int, until: int, said: tuple[int, int, int]) -> int:
    """The data descriptor fills the room before the next entry, with or without its mark."""
    wanted = struct.pack("<III", *said)
    for descriptor in (_DESCRIPTOR_MARK + wanted, wanted):
        if until - at == len(descriptor) and source.read(at, len(descriptor)) == descriptor:
            return len(descriptor)
    raise ZipHeadersDiffer("What follows an entry's content says something else of it than the directory.")


def _extras(extra: bytes) -> set[int]:
    """Kinds of the extra fields; what is left over is padding."""
    kinds, at = set(), 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<HH", extra, at)
        kinds.add(kind)
        at += 4 + size
    return kinds
