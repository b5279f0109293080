"""The end of a zip archive: where its directory lies.

Readers of zip archives differ in what they take for the end when there are several candidates; an archive that leaves
a choice is refused. Zip64 is refused by name. Source: PKWARE, APPNOTE.TXT 6.3.10, section 4.3.16.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from hsmpub.errors import Invalid
from hsmpub.formats.source import Source

END_BYTES = 22
_END = struct.Struct("<IHHHHIIH")
_END_MARK = b"PK\x05\x06"
_ZIP64_LOCATOR = b"PK\x06\x07"
_MAX_COMMENT = 0xFFFF
#: A directory of 65,534 entries with names of 900 bytes; nothing real comes near.
MAX_DIRECTORY_BYTES = 64 << 20


class ZipMalformed(Invalid):
    """Family of what is wrong with a zip archive."""

    advice = "Build the archive again with the usual tool of its kind; nothing in it was signed."


class ZipHasNoEnd(ZipMalformed):
    pass


class ZipEndAmbiguous(ZipMalformed):
    advice = "Remove the archive's comment; readers could disagree about where the archive ends."


class Zip64NotTaken(ZipMalformed):
    advice = "Split the archive: up to 65,534 entries and 4 GiB are signed so."


class End(NamedTuple):
    """Offsets and sizes in bytes. start, size: of the directory; at: of the end record; entries: their number."""

    start: int
    size: int
    at: int
    entries: int
    comment: bytes


def find_end(source: Source) -> End:
    """Raises ZipHasNoEnd, ZipEndAmbiguous, Zip64NotTaken, ZipMalformed."""
    reach = min(source.size, END_BYTES + _MAX_COMMENT)
    tail = source.read(source.size - reach, reach)
    found = _only_place(tail)
    at = source.size - reach + found
    _, disk, first_disk, here, count, size, start, comment = _END.unpack_from(tail, found)
    before = min(20, at)
    if source.read(at - before, before)[:4] == _ZIP64_LOCATOR or 0xFFFF in (here, count) or 0xFFFFFFFF in (size, start):
        raise Zip64NotTaken("The archive is in the Zip64 form.")
    if disk or first_disk or here != count:
        raise ZipMalformed("The archive is a part of several.")
    if size > MAX_DIRECTORY_BYTES or start + size != at:
        raise ZipMalformed("The archive's directory does not end where the archive ends.")
    return End(start, size, at, count, tail[len(tail) - comment :] if comment else b"")


def end_record(count: int, start: int, size: int, comment: bytes) -> bytes:
    """The end of an archive with this directory."""
    return _END.pack(int.from_bytes(_END_MARK, "little"), 0, 0, count, count, size, start, len(comment)) + comment


def _only_place(tail: bytes) -> int:
    """Where the one end record is whose comment ends with the file."""
    places = []
    at = tail.rfind(_END_MARK)
    while at >= 0:
        if at + END_BYTES <= len(tail):
            places.append(at)
        at = tail.rfind(_END_MARK, 0, at)
    fitting = [at for at in places if at + END_BYTES + int.from_bytes(tail[at + 20 : at + 22], "little") == len(tail)]
    if not fitting:
        raise ZipHasNoEnd("The file does not end as a zip archive does.")
    # a second mark after the first one that fits is within its comment
    if len(fitting) > 1 or any(at > fitting[0] for at in places):
        raise ZipEndAmbiguous("The archive has more than one end.")
    return fitting[0]
