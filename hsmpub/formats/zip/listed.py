"""A zip archive's directory: what it says of each entry. Nothing of the entries themselves is read here.

What two readers could read in two ways is refused: names twice, or that are no plain paths, encryption. Source: PKWARE,
APPNOTE.TXT 6.3.10, sections 4.3.12 and 4.4.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from hsmpub.formats.source import Source
from hsmpub.formats.zip.end import End, ZipMalformed, find_end

_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_CENTRAL_MARK = b"PK\x01\x02"
DESCRIPTOR, _UTF8 = 1 << 3, 1 << 11
#: Bits 1 and 2 say how hard the writer tried; any other bit is encryption, patching or masking.
_FLAGS_TAKEN = DESCRIPTOR | _UTF8 | 0b110
STORED, DEFLATED = 0, 8
#: Of the specification, ten times: what a reader must know to unpack the entry.
_NEWEST = 63


class ZipNameUnfit(ZipMalformed):
    advice = "Names are plain relative paths in ASCII or UTF-8, each once: rename the entry."


class ZipHasMore(ZipMalformed):
    advice = "Only entries and their directory may be in the archive: remove what is before, between or after them."


class Record(NamedTuple):
    """What the directory says of an entry, and the bytes (raw) with which it does."""

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


class Listed(NamedTuple):
    """until: where the next entry, or the directory, begins."""

    name: str
    record: Record
    until: int


def read_list(source: Source) -> tuple[list[Listed], End]:
    """The entries as the directory names them, in the order in which they lie in the file. Raises ZipMalformed and the
    rules under it; FileTooShort."""
    end = find_end(source)
    named: dict[str, Record] = {}
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
    return [Listed(name, record, until) for (name, record), until in pairs], end


def _records(directory: bytes, count: int) -> Iterator[Record]:
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
        yield Record(directory[at:end], name, extra, flags, method, stamp, crc, packed, size, start)
        at = end
    if at != len(directory):
        raise ZipMalformed("The archive's directory is longer than it says.")


def _name_of(record: Record) -> str:
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
