"""Cabinets (`.cab`): the signature follows the archive, and a reserve area in the header says where.

An unsigned cabinet grows by 24 bytes for that area, so every offset in it moves. The digest covers the archive as it is
then, but for what the signature itself changes: reserved1, the number in a set, the sizes of reserves, the place and
size of the signature. Only whole, single cabinets are taken: no part of a set, no reserves of another kind, nothing
behind. Source: Microsoft, "Cabinet Format" (CFHEADER, CFFOLDER); the area as signtool and osslsigncode write it.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from typing import NamedTuple

from hsmpub.errors import Invalid
from hsmpub.formats.cms.der import context, oid, sequence
from hsmpub.formats.cms.der_check import sequence_size
from hsmpub.formats.cms.indirect_data import IndirectData
from hsmpub.formats.source import Source, pieces
from hsmpub.formats.spliced import Kept, Part, Spliced

#: signature, reserved1, cbCabinet, reserved2, coffFiles, reserved3, version, cFolders, cFiles, flags, setID, iCabinet
_HEADER = struct.Struct("<4sIIIII2sHHHHH")
_FOLDER = struct.Struct("<II")
#: cbCFHeader, cbCFFolder, cbCFData; what the area begins with; offset and size of the signature; nothing more
_AREA = struct.Struct("<HBBIII8s")
_RESERVED = 4
_AREA_SIZES, _AREA_BEGINS = (20, 0, 0), 0x00100000
MAX_SIGNATURE_BYTES = 1 << 20


class CabMalformed(Invalid):
    advice = "Only whole cabinets (.cab) are signed so; build it again, as one file and without reserves."


class _Cabinet(NamedTuple):
    """What is at hand as it is when signed. head: CFHEADER with its area empty, CFFOLDERs; body: where the rest
    begins in the source; end: where the archive ends there."""

    head: bytes
    body: int
    end: int


class Cab(Spliced, IndirectData):
    """Behind the archive, with RSA-3072 or ECDSA on P-256, SHA-256; a signature there is replaced."""

    name = "cab"
    suffix = ".cab.p7"
    #: SpcLink, file, the text `<<<Obsolete>>>`.
    subject = sequence(
        oid("1.3.6.1.4.1.311.2.1.25"),
        context(2, context(0, "<<<Obsolete>>>".encode("utf-16-be"), constructed=False)),
    )

    def recognises(self, name: str, head: bytes) -> bool:
        return head[:8] == b"MSCF\0\0\0\0"

    def extract(self, source: Source) -> bytes:
        cabinet = _read(source)
        start = _HEADER.size
        state = hashlib.sha256(cabinet.head[:4] + cabinet.head[8:34])
        state.update(cabinet.head[start + _AREA.size - 4 :])
        for piece in pieces(source, cabinet.body, cabinet.end - cabinet.body):
            state.update(piece)
        return state.digest()

    def splice(self, source: Source, output: bytes) -> Iterator[Part]:
        cabinet, padded = _read(source), output + bytes(-len(output) % 8)
        at = len(cabinet.head) + cabinet.end - cabinet.body
        area = _AREA.pack(*_AREA_SIZES, _AREA_BEGINS, at, len(padded), bytes(8))
        yield cabinet.head[: _HEADER.size] + area + cabinet.head[_HEADER.size + _AREA.size :]
        yield Kept(cabinet.body, cabinet.end - cabinet.body)
        yield padded

    def held(self, source: Source) -> bytes | None:
        end = _read(source).end
        if end == source.size:
            return None
        padded = source.read(end, source.size - end)
        size = sequence_size(padded)
        if size is None or padded[size:] != bytes(-size % 8):
            raise CabMalformed("What follows the cabinet is no signature.")
        return padded[:size]


def _read(source: Source) -> _Cabinet:
    """Raises CabMalformed, FileTooShort."""
    raw = source.read(0, min(source.size, _HEADER.size))
    if len(raw) < _HEADER.size or raw[:8] != b"MSCF\0\0\0\0":
        raise CabMalformed("This is no cabinet.")
    fields = list(_HEADER.unpack(raw))
    size, files, folders, flags, number = fields[2], fields[4], fields[7], fields[9], fields[11]
    if flags not in (0, _RESERVED) or number:  # no signature covers the number
        raise CabMalformed("The cabinet is part of a set.")
    at, end, grows = _HEADER.size, size, 0
    if flags:
        end = _check_area(source.read(at, _AREA.size), size, source.size)
        at += _AREA.size
    else:
        grows = _AREA.size
        if size != source.size:
            raise CabMalformed("The cabinet has another size than it says.")
    table = source.read(at, _FOLDER.size * folders)
    at += len(table)
    if not folders or files != at or files > end:
        raise CabMalformed("The cabinet's header is not followed by its folders and files.")
    fields[2], fields[4], fields[9] = size + grows, files + grows, _RESERVED
    moved = b"".join(_FOLDER.pack(_moved(start, grows), rest) for start, rest in _FOLDER.iter_unpack(table))
    if fields[2] > 0xFFFFFFFF:
        raise CabMalformed("The cabinet has no room for a signature.")
    return _Cabinet(_HEADER.pack(*fields) + bytes(_AREA.size) + moved, at, end)


def _moved(start: int, grows: int) -> int:
    if start + grows > 0xFFFFFFFF:
        raise CabMalformed("A folder begins outside the cabinet.")
    return start + grows


def _check_area(area: bytes, size: int, whole: int) -> int:
    """Where the archive ends and its signature begins. Raises CabMalformed."""
    *sizes, begins, at, length, rest = _AREA.unpack(area)
    if tuple(sizes) != _AREA_SIZES or begins != _AREA_BEGINS or any(rest):
        raise CabMalformed("The cabinet has a reserve of another kind than a signature's.")
    if at != size or not 0 < length <= MAX_SIGNATURE_BYTES or at + length != whole:
        raise CabMalformed("The cabinet's signature is not where its header says.")
    return size
