"""Portable executables: where their signature lies, and the digest that Authenticode signs.

The digest covers the file but for the checksum, the directory entry of the certificate table, and the table itself; a
file whose length is no multiple of eight counts as padded with zeros, as it will be when the table is appended.
Source: Microsoft, "Windows Authenticode Portable Executable Signature Format" (2008); "PE Format", Attribute
Certificate Table.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from typing import NamedTuple

from hsmpub.errors import Invalid
from hsmpub.formats.cms.der_check import sequence_size
from hsmpub.formats.cms.word_sum import fold, word_sum
from hsmpub.formats.noted import noted
from hsmpub.formats.source import Source, pieces
from hsmpub.formats.spliced import Kept, Part

_PE32, _PE32_PLUS = 0x10B, 0x20B
_CERTIFICATE_ENTRY = 4
_HEADER = struct.Struct("<IHH")
#: WIN_CERTIFICATE: length with this header, revision 2.0, type PKCS_SIGNED_DATA.
_REVISION, _PKCS = 0x0200, 0x0002
MAX_TABLE_BYTES = 1 << 20


class PeMalformed(Invalid):
    advice = "Only whole PE files (.exe, .dll, .sys, .efi) are signed so; build it again."


class PeOverlay(Invalid):
    advice = "Remove what follows the signature, or sign the file as the linker wrote it."


class Layout(NamedTuple):
    """Offsets in bytes. end: where the image ends and the certificate table begins; table: its size, 0 if none."""

    checksum: int
    entry: int
    end: int
    table: int


def read_layout(source: Source) -> Layout:
    """Raises PeMalformed, PeOverlay, FileTooShort."""
    head = source.read(0, min(source.size, 64))
    if len(head) < 64 or head[:2] != b"MZ":
        raise PeMalformed("This is no PE file.")
    start = int.from_bytes(head[60:64], "little")
    if source.read(start, 4) != b"PE\0\0":
        raise PeMalformed("This is a DOS program, not a PE file.")
    optional = start + 24
    size = int.from_bytes(source.read(start + 20, 2), "little")
    magic = int.from_bytes(source.read(optional, 2), "little")
    if magic not in (_PE32, _PE32_PLUS):
        raise PeMalformed(f"The optional header has an unknown magic number {magic:#x}.")
    directories = optional + (96 if magic == _PE32 else 112)
    count = int.from_bytes(source.read(directories - 4, 4), "little")
    entry = directories + 8 * _CERTIFICATE_ENTRY
    if count <= _CERTIFICATE_ENTRY or entry + 8 > optional + size:
        raise PeMalformed("The file has no room for a certificate table.")
    at, table = struct.unpack("<II", source.read(entry, 8))
    if not at and not table:
        return Layout(optional + 64, entry, source.size, 0)
    if at < entry + 8 or at % 8 or not 8 <= table <= MAX_TABLE_BYTES or at + table > source.size:
        raise PeMalformed("The certificate table lies outside the file.")
    if at + table != source.size:
        raise PeOverlay("Something follows the file's certificate table.")
    return Layout(optional + 64, entry, at, table)


def pe_digest(source: Source) -> bytes:
    """SHA-256 that Authenticode signs, 32 bytes. Raises as read_layout does."""
    layout = read_layout(source)
    state = hashlib.sha256()
    for offset, end in ((0, layout.checksum), (layout.checksum + 4, layout.entry), (layout.entry + 8, layout.end)):
        for piece in pieces(source, offset, end - offset):
            state.update(piece)
    state.update(bytes(-layout.end % 8))
    return state.digest()


def with_table(source: Source, signature: bytes) -> Iterator[Part]:
    """The file with this PKCS #7 signature as its only one, and its checksum renewed."""
    layout = read_layout(source)
    table = _table(signature)
    at = layout.end + -layout.end % 8
    entry = struct.pack("<II", at, len(table))
    # the entry may begin between words, and what is summed elsewhere has zeros in its place
    total = image_sum(source) + word_sum([bytes(layout.entry % 2), entry, bytes(layout.entry % 2), table])
    checksum = fold(total) + at + len(table)
    yield Kept(0, layout.checksum)
    yield (checksum & 0xFFFFFFFF).to_bytes(4, "little")
    yield Kept(layout.checksum + 4, layout.entry - layout.checksum - 4)
    yield entry
    yield Kept(layout.entry + 8, layout.end - layout.entry - 8)
    yield bytes(-layout.end % 8) + table


def image_sum(source: Source) -> int:
    """What folds to the same as the sum of the image's words, with zeros for the checksum and the table's entry; noted,
    for it takes a look at all of the file. Raises as read_layout does."""
    return noted(source, "words of the image", lambda: word_sum(_image(source, read_layout(source))))


def signature_of(source: Source) -> bytes | None:
    """The PKCS #7 signature in a file; None: it has none. Raises PeMalformed, PeOverlay, FileTooShort."""
    layout = read_layout(source)
    if not layout.table:
        return None
    table = source.read(layout.end, layout.table)
    length, revision, kind = _HEADER.unpack_from(table)
    body = table[8:length]
    # the DER says its own length; what is after it is padding
    size = sequence_size(body)
    if (revision, kind) != (_REVISION, _PKCS) or length > layout.table or size is None or _table(body[:size]) != table:
        raise PeMalformed("The file holds more than one signature, or one of another kind.")
    return body[:size]


def _table(signature: bytes) -> bytes:
    padded = signature + bytes(-len(signature) % 8)
    return _HEADER.pack(8 + len(padded), _REVISION, _PKCS) + padded


def _image(source: Source, layout: Layout) -> Iterator[bytes]:
    """Everything before the table, with zeros for what the signature changes."""
    yield from pieces(source, 0, layout.checksum)  # its place is the file's word: it may be gigabytes away
    yield bytes(4)
    yield from pieces(source, layout.checksum + 4, layout.entry - layout.checksum - 4)
    yield bytes(8)
    yield from pieces(source, layout.entry + 8, layout.end - layout.entry - 8)
