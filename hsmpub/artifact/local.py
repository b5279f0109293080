"""Artifacts as local files: `<root>/<first two hex digits>/<sha256>`. See `incoming` for how they get there."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from collections.abc import AsyncIterable, AsyncIterator, Generator, Iterator
from contextlib import suppress
from pathlib import Path

from hsmpub.artifact.incoming import Incoming, collect_stale, disk_errors
from hsmpub.artifact.store import (
    CHUNK,
    DEFAULT_CAP,
    ArtifactAltered,
    ArtifactTooLarge,
    ArtifactUnknown,
    Stored,
    check_digest,
    verified,
)


class LocalStore:
    """A `Store` under a directory, which must exist. Making one touches nothing; readers need no right to write."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def collect_stale(self) -> int:
        """Remove what crashed writers left; returns how many files. For a front that starts."""
        return collect_stale(self.root)

    async def write(self, chunks: AsyncIterable[bytes], *, cap: int = DEFAULT_CAP, expect: str | None = None) -> Stored:
        """See `Store.write`."""
        if expect is not None:
            check_digest(expect)
        incoming = Incoming(self.root)
        try:
            async for pieces in _batched(chunks, cap):
                await asyncio.to_thread(incoming.absorb, pieces)
            return await asyncio.to_thread(incoming.settle, expect)
        finally:
            incoming.abandon()

    async def open(self, sha256: str) -> AsyncIterator[bytes]:
        """See `Store.open`."""
        pieces = self.read(sha256)
        try:
            while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
                yield piece
        finally:
            with suppress(ValueError):  # cancelled while a thread reads: the file closes when that ends
                pieces.close()

    def read(self, sha256: str) -> Generator[bytes, None, None]:
        """See `Store.read`."""
        check_digest(sha256)
        with disk_errors():
            try:
                fd = os.open(self._path(sha256), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
            except FileNotFoundError:
                raise ArtifactUnknown(f"There is no artifact {sha256}.") from None
            except OSError as e:
                if e.errno == errno.ELOOP:
                    raise ArtifactAltered(f"The artifact {sha256} was replaced by a link.") from None
                raise
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise ArtifactAltered(f"The artifact {sha256} was replaced by something that is no file.")
            yield from verified(_pieces(fd), sha256)
        finally:
            os.close(fd)

    async def size(self, sha256: str) -> int | None:
        """See `Store.size`."""
        check_digest(sha256)
        try:
            return self._path(sha256).lstat().st_size
        except FileNotFoundError:
            return None

    def _path(self, sha256: str) -> Path:
        return self.root / sha256[:2] / sha256


async def _batched(chunks: AsyncIterable[bytes], cap: int) -> AsyncIterator[list[bytes]]:
    """Pieces gathered to about `CHUNK` bytes, so that a thread is woken once a megabyte. Raises ArtifactTooLarge."""
    taken, waiting, gathered = 0, [], 0
    async for chunk in chunks:
        taken += len(chunk)
        if taken > cap:
            raise ArtifactTooLarge(f"The file has over {cap:,} bytes.")
        waiting.append(bytes(chunk))
        gathered += len(chunk)
        if gathered >= CHUNK:
            yield waiting
            waiting, gathered = [], 0
    if waiting:
        yield waiting


def _pieces(fd: int) -> Iterator[bytes]:
    while True:
        with disk_errors():
            piece = os.read(fd, CHUNK)
        if not piece:
            return
        yield piece
