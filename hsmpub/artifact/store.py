"""Content-addressed artifacts: a file is known by the SHA-256 of its bytes and by nothing else.

The seam `Store` has two implementations: local files, and memory for tests. Both keep the contract:
- what is written is hashed on the way, in constant memory, under a cap, and is there as a whole or not at all;
- what is read is hashed again on the way, and the last bytes are held back until the hash is right: nobody gets a
  whole file that is not the one they named.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Protocol

from hsmpub.errors import Broken, Conflict, Invalid, NotFound, TooLarge, Unavailable
from hsmpub.model.digest import is_sha256_hex

#: Bytes in one step of reading and writing; a writer and a reader each hold about two.
CHUNK = 1 << 20
DEFAULT_CAP = 8 << 30


class HostileDigest(Invalid):
    advice = "Name an artifact by its SHA-256: 64 lower-case hex characters."


class ArtifactUnknown(NotFound):
    advice = "Upload the file first."


class ArtifactTooLarge(TooLarge):
    advice = "Send the file in digest mode, or have the cap raised."


class ArtifactDiffers(Conflict):
    advice = "The bytes that arrived are not those that were announced: upload the file again."
    retry_is_safe = True


class ArtifactAltered(Broken):
    advice = "Stop: stored bytes changed. Look at the disk and at who can write to it, then upload the file again."


class ArtifactStoreFull(Unavailable):
    advice = "Free some space on the service's disk and upload the file again; nothing of it was kept."


class ArtifactStoreFailed(Unavailable):
    advice = "Look at the disk of the artifact store."


@dataclass(frozen=True)
class Stored:
    """sha256: 64 hex characters, as the store itself computed it; size: bytes."""

    sha256: str
    size: int


class Store(Protocol):
    """Where artifacts lie. Safe for many tasks and processes at once."""

    async def write(self, chunks: AsyncIterable[bytes], *, cap: int = DEFAULT_CAP, expect: str | None = None) -> Stored:
        """Store a stream durably; returns once a power cut would not lose it.

        Args:
            chunks: the bytes, in pieces of any size.
            cap: the most bytes to take.
            expect: SHA-256 that was announced.

        Raises:
            ArtifactTooLarge, ArtifactDiffers, ArtifactStoreFull, ArtifactStoreFailed, HostileDigest. Nothing is kept.
        """
        ...

    def open(self, sha256: str) -> AsyncIterator[bytes]:
        """The bytes of an artifact; finishes only if they are the right ones.

        Raises:
            HostileDigest, ArtifactUnknown, ArtifactStoreFailed; ArtifactAltered instead of the last piece.
        """
        ...

    def read(self, sha256: str) -> Iterator[bytes]:
        """As `open`, for code that may block: a courier's child."""
        ...

    async def size(self, sha256: str) -> int | None:
        """Bytes of a stored artifact, not verified; None when there is none."""
        ...


def check_digest(sha256: str) -> None:
    """Raises HostileDigest: anything that could be more than a digest, such as a path."""
    if not is_sha256_hex(sha256):
        raise HostileDigest("This is not the SHA-256 of an artifact.")


def verified(pieces: Iterator[bytes], sha256: str) -> Iterator[bytes]:
    """Pass pieces on, one late, and the last only if all of them together hash to `sha256`. Raises ArtifactAltered."""
    digest = hashlib.sha256()
    held: bytes | None = None
    for piece in pieces:
        if held is not None:
            yield held
        digest.update(piece)
        held = piece
    if digest.hexdigest() != sha256:
        raise ArtifactAltered(f"The stored artifact {sha256} holds other bytes.")
    if held is not None:
        yield held
