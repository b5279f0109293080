"""What the keeper reads of the artifact store: it hashes every byte itself, whatever the front said."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

from hsmpub.errors import Conflict, NotFound
from hsmpub.formats.sha256state import HeldSha256
from hsmpub.model.submission import FileRef

_CHUNK = 1 << 20


class ArtifactMissing(NotFound):
    advice = "Upload the file, then send the request again."
    retry_is_safe = True


class ArtifactAltered(Conflict):
    advice = "The stored bytes are not what the request names. Upload the file again; nothing was signed."
    retry_is_safe = True


class WrongSize(Conflict):
    advice = "Send the size of the very file that was uploaded."


class Artifacts:
    """Reads `root/<aa>/<sha256>`; two files at a time, so that large ones do not starve the rest."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._places = asyncio.Semaphore(2)

    async def check(self, file: FileRef) -> HeldSha256:
        """The file is there, whole, and gives its hash.

        Raises:
            ArtifactMissing, ArtifactAltered, WrongSize.
        """
        if await self._size(file.sha256) != file.size:
            raise WrongSize(f"The file {file.name} does not have {file.size:,} bytes.")
        return await self.hashed(file.sha256, file.name)

    async def hashed(self, sha256: str, name: str) -> HeldSha256:
        """Hashes the stored file.

        Args:
            sha256: what the file must hash to, 64 hex characters; name: for messages.

        Raises:
            ArtifactMissing, ArtifactAltered.
        """
        async with self._places:
            state = await asyncio.to_thread(self._hash, sha256, name)
        if state.digest().hex() != sha256:
            raise ArtifactAltered(f"The stored file {name} was altered after its upload.")
        return state

    async def _size(self, sha256: str) -> int:
        try:
            return (await asyncio.to_thread(self._path(sha256).stat)).st_size
        except FileNotFoundError:
            raise ArtifactMissing(f"No file with the digest {sha256} was uploaded.") from None

    def _hash(self, sha256: str, name: str) -> HeldSha256:
        state, size = hashlib.sha256(), 0
        try:
            with self._path(sha256).open("rb", buffering=0) as file:
                while chunk := file.read(_CHUNK):
                    state.update(chunk)
                    size += len(chunk)
        except FileNotFoundError:
            raise ArtifactMissing(f"The file {name} was not uploaded, or is gone.") from None
        return HeldSha256(state, size)

    def _path(self, sha256: str) -> Path:
        return self._root / sha256[:2] / sha256
