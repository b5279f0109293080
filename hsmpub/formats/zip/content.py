"""The content of a zip entry, unpacked piece by piece under limits, and never more of it than the archive says."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator

from hsmpub.formats.source import PIECE_BYTES, Source, pieces
from hsmpub.formats.zip.directory import Entry
from hsmpub.formats.zip.end import ZipMalformed
from hsmpub.formats.zip.listed import STORED

#: What the entries of one archive may hold together, unpacked: some ten seconds of work.
MAX_UNPACKED_BYTES = 2 << 30


class ZipTooLarge(ZipMalformed):
    advice = "Split the archive."


class ZipContentMalformed(ZipMalformed):
    pass


def check_unpacked(sizes: Iterable[int]) -> None:
    """Raises ZipTooLarge where unpacking all would take more than MAX_UNPACKED_BYTES."""
    if sum(sizes) > MAX_UNPACKED_BYTES:
        raise ZipTooLarge(f"The archive unpacks to more than {MAX_UNPACKED_BYTES:,} bytes.")


def content_sha256(source: Source, entry: Entry) -> bytes:
    """SHA-256 of an entry's content, 32 bytes. Raises ZipContentMalformed."""
    state = hashlib.sha256()
    for piece in unpacked(source, entry):
        state.update(piece)
    return state.digest()


def content(source: Source, entry: Entry, limit: int) -> bytes:
    """The whole content. Raises ZipTooLarge: it has more than `limit` bytes; ZipContentMalformed."""
    if entry.size > limit:
        raise ZipTooLarge(f"The entry {entry.name[:80]!r} has more than {limit:,} bytes.")
    return b"".join(unpacked(source, entry))


def unpacked(source: Source, entry: Entry) -> Iterator[bytes]:
    """Pieces of at most a mebibyte; size and checksum are right once it has ended. Raises ZipContentMalformed."""
    found = crc = 0
    packed = pieces(source, entry.data, entry.packed)
    for piece in packed if entry.method == STORED else _inflated(packed, entry):
        found += len(piece)
        crc = zlib.crc32(piece, crc)
        if found > entry.size:
            break
        yield piece
    if found != entry.size or crc != entry.crc:
        raise ZipContentMalformed(f"The content of {entry.name[:80]!r} is not what the archive says of it.")


def _inflated(packed: Iterator[bytes], entry: Entry) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    left = b""
    try:
        for piece in packed:
            left = piece
            while left and not unpacker.eof:
                yield unpacker.decompress(left, PIECE_BYTES)
                left = unpacker.unconsumed_tail
        while not unpacker.eof and (piece := unpacker.decompress(b"", PIECE_BYTES)):
            yield piece
    except zlib.error:
        raise ZipContentMalformed(f"The content of {entry.name[:80]!r} cannot be unpacked.") from None
    if not unpacker.eof or unpacker.unused_data or left:
        raise ZipContentMalformed(f"The content of {entry.name[:80]!r} is cut short, or something follows it.")
