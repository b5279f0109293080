"""A zip archive's entries, read strictly: the directory and the entries' own headers must say the same.

What two readers could read in two ways is refused: names twice, headers that differ, entries that overlap, bytes that
belong to no entry, encryption, other names in extra fields. Source: PKWARE, APPNOTE.TXT 6.3.10, sections 4.3 and 4.4.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from hsmpub.formats.source import FileTooShort, Source
from hsmpub.formats.zip.end import End, Zip64NotTaken, ZipMalformed, find_end

_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL_MARK, _LOCAL_MARK, _DESCRIPTOR_MARK = b"PK\x01\x02", b"PK\x03\x04", b"PK\x07\x08"
_DESCRIPTOR, _UTF8 = 1 << 3, 1 << 11
#: Bits 1 and 2 say how hard the writer tried; any other bit is encryption, patching or masking.
_FLAGS_TAKEN = _DESCRIPTOR | _UTF8 | 0b110
STORED, DEFLATED = 0, 8
#: Of the specification, ten times: what a reader must know to unpack the entry.
_NEWEST = 63
_ZIP64_EXTRA, _OTHER_NAME_EXTRA = 0x0001, 0x7075


class ZipNameUnfit(ZipMalformed):
    advice = "Names are plain relative paths in ASCII or UTF-8, each once: rename the entry."


class ZipHeadersDiffer(ZipMalformed):
    pass


class ZipHasMore(ZipMalformed):
    advice = "Only entries and their directory may be in the archive: remove what is before, between or after them."


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
    end = find_end(source)
    named: dict[str, _Record] = {}
    for record in _records(source.read(end.start, end.size), end.entries):
        name = _name_of(record)
        if name in named:
            raise ZipNameUnfit(f"The archive holds {name!r} twice.")
        named[name] = record
    ordered = sorted(named.items(), key=lambda item: item[1].start)
    starts = [record.start for _, record in ordered[1:]] + [end.start]
    if ordered[0][1].start if ordered else end.start:
        raise ZipHasMore("Something is before the archive's first entry.")
    pairs = zip(ordered, starts, strict=True) if ordered else ()
    return Archive(tuple(_entry(source, name, record, until) for (name, record), until in pairs), end)


class _Record(NamedTuple):
    raw: bytes
    name: bytes
    extra: bytes
    flags: int
    method: int
    stamp: int
    crc: int
    packed: int
    size: int
    start: int


def _records(directory: bytes, count: int) -> Iterator[_Record]:
    at = 0
    for _ in range(count):
        if at + _CENTRAL.size > len(directory):
            raise ZipMalformed("The archive's directory is cut short.")
        (mark, _, version, flags, method, time, date, crc, packed, size, names, extras, comments, disk, _, _,
         start) = _CENTRAL.unpack_from(directory, at)  # fmt: skip
        end = at + _CENTRAL.size + names + extras + comments
        if mark != _CENTRAL_MARK or disk or version > _NEWEST or end > len(directory):
            raise ZipMalformed("The archive's directory is malformed.")
        name = directory[at + _CENTRAL.size : at + _CENTRAL.size + names]
        extra = directory[at + _CENTRAL.size + names : end - comments]
        stamp = date << 16 | time
        yield _Record(directory[at:end], name, extra, flags, method, stamp, crc, packed, size, start)
        at = end
    if at != len(directory):
        raise ZipMalformed("The archive's directory is longer than it says.")


def _name_of(record: _Record) -> str:
    """The name of an entry that can be read in one way only. Raises ZipNameUnfit, ZipMalformed."""
    try:
        name = record.name.decode("utf-8" if record.flags & _UTF8 else "ascii")
    except UnicodeDecodeError:
        raise ZipNameUnfit(f"The name {record.name[:80]!r} is neither ASCII nor marked as UTF-8.") from None
    parts = name.removesuffix("/").split("/")
    if any(part in ("", ".", "..") for part in parts) or any(c < " " or c in "\\\x7f" for c in name):
        raise ZipNameUnfit(f"The name {name[:80]!r} is not a plain relative path.")
    if record.flags & ~_FLAGS_TAKEN or record.method not in (STORED, DEFLATED):
        raise ZipMalformed(f"The entry {name[:80]!r} is encrypted, or packed in another way than deflate.")
    # a folder's content is nobody's to look at, so it has none: an empty one may still be deflated, in two bytes
    full = name.endswith("/") and (record.size or record.crc or record.packed > 2)
    if (record.method == STORED and record.packed != record.size) or full:
        raise ZipMalformed(f"The sizes of {name[:80]!r} do not fit.")
    return name


def _entry(source: Source, name: str, record: _Record, until: int) -> Entry:
    """until: where the next thing starts."""
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
    later = bool(flags & _DESCRIPTOR)
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
