"""Hashes a file on the client, at the speed of libcrypto, and keeps the hash unfinished.

What is sent is a HashState: chaining words, the last bytes under one block, and the size. The service finishes the
hash, with what it appends itself. `hashlib` does not give the words away, so this calls libcrypto's own context.
Reading goes through one reused buffer: memory stays the same for 1 KiB and for 100 GiB.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from hsmpub.artifact.plain_file import open_plain
from hsmpub.artifact.source import DescriptorSource
from hsmpub.client.seen import Seen, marks
from hsmpub.errors import Conflict, Unavailable
from hsmpub.formats.format import Format
from hsmpub.formats.noted import NotedSource
from hsmpub.formats.sha256_block import Words
from hsmpub.formats.sha256_libcrypto import find_libcrypto
from hsmpub.formats.sha256state import HeldSha256, Sha256State
from hsmpub.formats.source import Source
from hsmpub.formats.spliced import Spliced
from hsmpub.model.submission import HashState

#: Of the file with this status: chaining words, tail and size, where somebody began to hash it; else None.
FinishBegun = Callable[[os.stat_result, Callable[[int], None] | None], tuple[Words, bytes, int] | None]
_BUFFER_BYTES = 1 << 20
#: From this size on, details are made while the file is hashed.
_WORTH_A_THREAD = 16 << 20


class LibcryptoMissing(Unavailable):
    advice = "Upload the files instead: 'hsmpub sign --upload'."
    retry_is_safe = False


class FileChanged(Conflict):
    advice = "Let whatever writes to the file finish, then start again."


def nothing_begun(_: os.stat_result, __: Callable[[int], None] | None) -> None:
    """Where each file is hashed when it is asked for."""


def can_hash() -> bool:
    """Whether `hash_file` will find what it needs."""
    return find_libcrypto() is not None


def hash_file(
    path: Path, *, formats: Sequence[Format] = (), progress: Callable[[int], None] | None = None
) -> HashState:
    """As `hash_and_look`, without what was noted."""
    return hash_and_look(path, formats=formats, progress=progress)[0]


def hash_and_look(
    path: Path, *, formats: Sequence[Format] = (), progress: Callable[[int], None] | None = None,
    begun: FinishBegun = nothing_begun,
) -> tuple[HashState, Seen]:  # fmt: skip
    """The hash state of a file, under the file's base name, with what these formats need beside it; and what they noted
    for later.

    Args:
        progress: called with the number of bytes after each piece of at most some MiB.
        begun: gives the hash where it was begun before; it is told `progress`.

    Raises:
        The rules of a format's `extract`.
        LibcryptoMissing: no libcrypto with the low-level functions; upload instead.
        FileChanged: it was written to while it was read.
        NotAPlainFile: a directory, device or pipe.
        OSError: it cannot be read.
    """
    with open_plain(path) as file:
        fd = file.fileno()
        before = os.fstat(fd)
        source = NotedSource(DescriptorSource(fd, before.st_size))
        with ThreadPoolExecutor(2) as beside:
            large = before.st_size >= _WORTH_A_THREAD
            later = beside.submit(_details, formats, source) if large else None
            ahead = [beside.submit(form.ahead, source) for form in formats if large and isinstance(form, Spliced)]
            done = begun(before, progress)
            state = Sha256State(*done) if done else _hash_open_file(fd, before.st_size, progress)
            details = later.result() if later else _details(formats, source)
            for one in ahead:
                one.result()
        if state.size != before.st_size or marks(os.fstat(fd)) != marks(before):
            raise FileChanged(f"{path.name!r} changed while it was hashed.")
    return msgspec.structs.replace(state.to_state(path.name), details=details), Seen(marks(before), source.notes)


def held_hash(path: Path) -> HeldSha256:
    """The hash of a file by hashlib, for files that are uploaded and where libcrypto does not serve.

    Raises:
        FileChanged: it was written to while it was read.
        NotAPlainFile: a directory, device or pipe.
        OSError: it cannot be read.
    """
    with open_plain(path) as file:
        digest, before = hashlib.sha256(), os.fstat(file.fileno())
        left = before.st_size + 1  # a file that grows as fast as it is read has no end
        while left > 0 and (piece := file.read(_BUFFER_BYTES)):
            left -= len(piece)
            digest.update(piece)
        if left != 1 or marks(os.fstat(file.fileno())) != marks(before):
            raise FileChanged(f"{path.name!r} changed while it was hashed.")
        return HeldSha256(digest, before.st_size)


def _hash_open_file(fd: int, size: int, progress: Callable[[int], None] | None) -> Sha256State:
    """Stops after a byte too many: a file that grows as fast as it is read has no end."""
    library = find_libcrypto()
    if library is None:
        raise LibcryptoMissing("Python's libcrypto does not let a hash be kept unfinished.")
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_SEQUENTIAL)
    context = library.begin()
    buffer = bytearray(_BUFFER_BYTES)
    address = ctypes.addressof(ctypes.c_char.from_buffer(buffer))
    left = size + 1
    while left > 0 and (count := os.readv(fd, [buffer])):
        left -= count
        library.update(context, address, count)
        if progress is not None:
            progress(count)
    return Sha256State(*library.read(context))


def _details(formats: Sequence[Format], source: Source) -> dict[str, bytes]:
    """What formats need beside the hash. Many of them hash the file once more."""
    return {form.name: form.extract(source) for form in formats if form.detail_limit}
