"""Android packages: where their signing block lies, and the digest that signature schemes 2 and 3 sign.

The digest covers the entries, the directory and the end record, in chunks of a mebibyte, as they are without the block.
Source: Android Open Source Project, "APK signature scheme v2", "APK signing block" and "Integrity-protected contents".
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

from hsmpub.formats.source import Source, pieces
from hsmpub.formats.spliced import Kept, Part
from hsmpub.formats.zip.end import End, Zip64NotTaken, ZipMalformed, end_record, find_end

_MAGIC = b"APK Sig Block 42"
#: At its end: its size once more, without the first size, and the magic.
_TAIL = 8 + len(_MAGIC)
MAX_BLOCK_BYTES = 1 << 20


class ApkBlockMalformed(ZipMalformed):
    advice = "Take the package as the build tool made it, before anybody signs it."


class Layout(NamedTuple):
    """entries: where the entries end and a signing block begins; block: its size, 0 if there is none."""

    entries: int
    block: int
    end: End


def read_layout(source: Source) -> Layout:
    """Raises ZipMalformed and the rules under it, ApkBlockMalformed."""
    end = find_end(source)
    if end.start < 8 + _TAIL or source.read(end.start - len(_MAGIC), len(_MAGIC)) != _MAGIC:
        return Layout(end.start, 0, end)
    size = int.from_bytes(source.read(end.start - _TAIL, 8), "little") + 8
    if not 8 + _TAIL <= size <= min(end.start, MAX_BLOCK_BYTES):
        raise ApkBlockMalformed("The package's signing block lies outside the file, or has over a mebibyte.")
    if source.read(end.start - size, 8) != (size - 8).to_bytes(8, "little"):
        raise ApkBlockMalformed("The package's signing block says two sizes.")
    return Layout(end.start - size, size, end)


def apk_digest(source: Source) -> bytes:
    """The SHA-256 over chunks, 32 bytes. Raises as read_layout does."""
    layout = read_layout(source)
    end, chunks = layout.end, []
    for offset, size in ((0, layout.entries), (end.start, end.size)):
        chunks += [_chunk(piece) for piece in pieces(source, offset, size)]
    record = end_record(end.entries, layout.entries, end.size, end.comment)
    chunks.append(_chunk(record))
    return hashlib.sha256(b"\x5a" + len(chunks).to_bytes(4, "little") + b"".join(chunks)).digest()


def with_block(source: Source, block: bytes) -> Iterator[Part]:
    """The package with this signing block as its only one."""
    layout = read_layout(source)
    end, start = layout.end, layout.entries + len(block)
    if start + end.size >= 0xFFFFFFFF:
        raise Zip64NotTaken("The signed package would need the Zip64 form.")
    yield Kept(0, layout.entries)
    yield block
    yield Kept(end.start, end.size)
    yield end_record(end.entries, start, end.size, end.comment)


def block_of(source: Source) -> bytes | None:
    """The signing block; None: there is none. Raises as read_layout does."""
    layout = read_layout(source)
    return source.read(layout.entries, layout.block) if layout.block else None


def signing_block(values: dict[int, bytes]) -> bytes:
    """A signing block that holds these values by their ids."""
    pairs = b"".join(
        (4 + len(value)).to_bytes(8, "little") + kind.to_bytes(4, "little") + value for kind, value in values.items()
    )
    size = (len(pairs) + _TAIL).to_bytes(8, "little")
    return size + pairs + size + _MAGIC


def _chunk(piece: bytes) -> bytes:
    state = hashlib.sha256(b"\xa5" + len(piece).to_bytes(4, "little"))
    state.update(piece)
    return state.digest()
