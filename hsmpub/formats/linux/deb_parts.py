"""Where the parts of a Debian package end is not signed: the signature is over their bytes, one after the other.

So the bytes themselves have to say it, or content could move from one part to the next under the same signature, and
what somebody put into a file of the package could become the package. The first part is a constant; the second is one
compressed stream, or one archive, which ends where the part does; the third is the rest.
Source: deb(5); RFC 1952; RFC 8878; The .xz File Format 1.2; POSIX ustar.
"""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from hsmpub.formats.linux.ar import DebMalformed, Member
from hsmpub.formats.source import Source, pieces

_VERSION = b"2.0\n"
#: Of scripts, lists of files and their checksums, unpacked: no real package has a tenth of it.
MAX_CONTROL_BYTES = 64 << 20
_MEMORY, _STEP = 96 << 20, 1 << 20
#: How the archive of a part begins, by the end of the part's name.
_BEGINNINGS = {
    b".gz": (0, b"\x1f\x8b"), b".xz": (0, b"\xfd7zXZ\0"), b".zst": (0, b"\x28\xb5\x2f\xfd"), b".bz2": (0, b"BZh"),
    b".lzma": (0, b"\x5d\0\0"), b".tar": (257, b"ustar"),
}  # fmt: skip
_BLOCK = 512


class DebPartsUnclear(DebMalformed):
    pass


class _Unpacker(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


def _name(part: Member) -> str:
    return part.name.decode("ascii", "replace")


def check_parts(source: Source, parts: Sequence[Member]) -> None:
    """Raises DebPartsUnclear, FileTooShort unless the three parts can be divided in this way only."""
    version, control, data = parts
    if version.size != len(_VERSION) or source.read(version.data, version.size) != _VERSION:
        raise DebPartsUnclear("The package is not of version 2.0.")
    for part in (control, data):
        at, wanted = _BEGINNINGS[_ending(part)]
        if part.size < at + len(wanted) or source.read(part.data + at, len(wanted)) != wanted:
            raise DebPartsUnclear(f"The package's part {_name(part)!r} does not begin as its name says.")
    if control.size > MAX_CONTROL_BYTES:
        raise DebPartsUnclear("The package's control part is larger than any.")
    try:
        ends = _ends(_ending(control), source, control)
    except (zlib.error, lzma.LZMAError, ValueError, IndexError):
        ends = False
    if not ends:
        raise DebPartsUnclear(f"The package's part {_name(control)!r} does not end where its archive ends.")


def _ending(part: Member) -> bytes:
    return b"." + part.name.rpartition(b".")[2]


def _ends(ending: bytes, source: Source, part: Member) -> bool:
    if ending == b".zst":
        return _frame_end(source, part) == part.data + part.size
    if ending == b".tar":
        return _tar_ends(source, part)
    unpacker: Any = zlib.decompressobj(31) if ending == b".gz" else lzma.LZMADecompressor(lzma.FORMAT_XZ, _MEMORY)
    return _stream_ends(pieces(source, part.data, part.size), _Gzip(unpacker) if ending == b".gz" else unpacker)


class _Gzip:
    """zlib's object as those of lzma are: what it did not take yet, it keeps."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    @property
    def eof(self) -> bool:
        return bool(self._inner.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._inner.unused_data)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return bytes(self._inner.decompress(self._inner.unconsumed_tail + data, max_length))


def _stream_ends(given: Iterator[bytes], unpacker: _Unpacker) -> bool:
    """Whether what is given is one stream and nothing more."""
    left = MAX_CONTROL_BYTES
    for piece in given:
        if unpacker.eof:
            return False
        made = unpacker.decompress(piece, _STEP)
        while made:
            left -= len(made)
            if left < 0:
                raise DebPartsUnclear("The package's control part is larger than any.")
            made = b"" if unpacker.eof else unpacker.decompress(b"", _STEP)
    return unpacker.eof and not unpacker.unused_data


def _frame_end(source: Source, part: Member) -> int:
    """Where the Zstandard frame ends that a part begins with. Its blocks say their sizes; nothing is unpacked."""
    about = source.read(part.data + 4, 1)[0]
    single, checksum = about >> 5 & 1, about >> 2 & 1
    if about & 0x08:
        raise ValueError("a reserved bit")
    at = part.data + 5 + (not single) + (0, 1, 2, 4)[about & 3] + (single, 2, 4, 8)[about >> 6]
    last, end = False, part.data + part.size
    while not last:
        if at + 3 > end:
            raise ValueError("cut short")
        block = int.from_bytes(source.read(at, 3), "little")
        last, kind, size = bool(block & 1), block >> 1 & 3, block >> 3
        at += 3 + (1 if kind == 1 else size)  # one byte, so many times; else that many bytes
        if kind == 3:
            raise ValueError("no block")
    return at + 4 * checksum


def _tar_ends(source: Source, part: Member) -> bool:
    """Whether an archive ends in a part, and nothing but zeros follows it there: the next part begins with none."""
    at, end = part.data, part.data + part.size
    while at + _BLOCK <= end:
        head = source.read(at, _BLOCK)
        if not any(head):
            return not any(piece.strip(b"\0") for piece in pieces(source, at, end - at))
        size = int(_octal(head[124:136]), 8)
        at += _BLOCK + -(-size // _BLOCK) * _BLOCK
    return False


def _octal(field: bytes) -> bytes:
    """Raises ValueError for what is no plain number: a size below zero would lead back."""
    digits = field.rstrip(b" \0")
    if not digits.isdigit():
        raise ValueError("no size")
    return digits
