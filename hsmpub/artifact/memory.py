"""Artifacts in memory: an honest second implementation of `Store`, for tests."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterable, AsyncIterator, Iterator

from hsmpub.artifact.store import (
    CHUNK,
    DEFAULT_CAP,
    ArtifactDiffers,
    ArtifactTooLarge,
    ArtifactUnknown,
    Stored,
    check_digest,
    verified,
)


class MemoryStore:
    """`artifacts`: digest → bytes; tests may alter them, as somebody with the disk could."""

    def __init__(self) -> None:
        self.artifacts: dict[str, bytes] = {}

    async def write(self, chunks: AsyncIterable[bytes], *, cap: int = DEFAULT_CAP, expect: str | None = None) -> Stored:
        if expect is not None:
            check_digest(expect)
        data = bytearray()
        async for chunk in chunks:
            data += chunk
            if len(data) > cap:
                raise ArtifactTooLarge(f"The file has over {cap:,} bytes.")
        sha256 = hashlib.sha256(data).hexdigest()
        if expect not in (None, sha256):
            raise ArtifactDiffers("The file that arrived is not the one that was announced.")
        self.artifacts[sha256] = bytes(data)
        return Stored(sha256, len(data))

    async def open(self, sha256: str) -> AsyncIterator[bytes]:
        for piece in self.read(sha256):
            yield piece

    def read(self, sha256: str) -> Iterator[bytes]:
        check_digest(sha256)
        if sha256 not in self.artifacts:
            raise ArtifactUnknown(f"There is no artifact {sha256}.")
        data = self.artifacts[sha256]
        yield from verified((data[at : at + CHUNK] for at in range(0, len(data), CHUNK)), sha256)

    async def size(self, sha256: str) -> int | None:
        check_digest(sha256)
        data = self.artifacts.get(sha256)
        return None if data is None else len(data)
