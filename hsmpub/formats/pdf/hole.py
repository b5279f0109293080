"""Where the last signature of a PDF document lies, if it is ours and covers the whole document.

Own code, and no PDF parser: it looks for the last /ByteRange, and takes nothing but a range of the whole file around
one hexadecimal string. Source: ISO 32000-2, section 12.8.1.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from hsmpub.formats.pdf.room import PRODUCER, ROOM_BYTES
from hsmpub.formats.source import Source, hash_ranges

#: The update that holds our signature has the page and the catalogue in it, too; it is never longer.
_REACH = 8 << 20
_BYTE_RANGE = re.compile(rb"/ByteRange ?\[(0) (\d{1,12}) (\d{1,12}) (\d{1,12})\]")
_BEFORE = 4096


class Hole(NamedTuple):
    """Offsets of `<` and behind `>`."""

    start: int
    end: int


def find_hole(source: Source) -> Hole | None:
    """The hole for the signature in the document's last update, filled or not; None: the last signature is not ours,
    or covers less than the document."""
    reach = min(source.size, _REACH)
    tail = source.read(source.size - reach, reach)
    at = tail.rfind(b"/ByteRange")
    found = _BYTE_RANGE.match(tail, at) if at >= 0 else None
    if found is None:
        return None
    start, end, rest = (int(found[group]) for group in (2, 3, 4))
    if end + rest != source.size or end - start != 2 * ROOM_BYTES + 2 or start < source.size - reach:
        return None
    content = tail[start - source.size + reach : end - source.size + reach]
    near = tail[max(0, at - 2 * ROOM_BYTES - _BEFORE) : at + _BEFORE]
    ours = b"/Name /" + PRODUCER.encode() in near and b"/adbe.pkcs7.detached" in near
    whole = content[:1] == b"<" and content[-1:] == b">" and re.fullmatch(rb"[0-9A-Fa-f]*", content[1:-1])
    return Hole(start, end) if ours and whole else None


def digest_around(source: Source, hole: Hole) -> bytes:
    """SHA-256 of the document without the hole."""
    return hash_ranges(source, (0, hole.start), (hole.end, source.size - hole.end))


def content_of(source: Source, hole: Hole) -> bytes | None:
    """The signature in the hole; None: it is empty, or no DER value and zeros."""
    data = bytes.fromhex(source.read(hole.start + 1, hole.end - hole.start - 2).decode("ascii"))
    if data[:1] != b"\x30" or data[1] < 0x80:
        return None
    width = data[1] & 0x7F
    size = 2 + width + int.from_bytes(data[2 : 2 + width], "big")
    return data[:size] if size <= len(data) and not any(data[size:]) else None
