"""What the keeper reads of the artifact store: it hashes every byte itself, whatever the front said."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path

from hsmpub.errors import Conflict, NotFound
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

    async def check(self, file: FileRef) -> None:
        """The file is there, whole.

        Raises:
            ArtifactMissing, ArtifactAltered, WrongSize.
        """
        if await self._size(file.sha256) != file.size:
            raise WrongSize(f"The file {file.name} does not have {file.size:,} bytes.")
        await self.hashed(file.sha256, file.name)

    async def hashed(self, sha256: str, name: str) -> Callable[[], hashlib._Hash]:
        """Hashes the stored file and gives copies of its unfinished SHA-256.

        Args:
            sha256: what the file must hash to, 64 hex characters; name: for messages.

        Raises:
            ArtifactMissing, ArtifactAltered.
        """
        async with self._places:
            state = await asyncio.to_thread(self._hash, sha256, name)
        if state.hexdigest() != sha256:
            raise ArtifactAltered(f"The stored file {name} was altered after its upload.")
        return state.copy

    async def _size(self, sha256: str) -> int:
        try:
            return (await asyncio.to_thread(self._path(sha256).stat)).st_size
        except FileNotFoundError:
            raise ArtifactMissing(f"No file with the digest {sha256} was uploaded.") from None

    def _hash(self, sha256: str, name: str) -> hashlib._Hash:
        state = hashlib.sha256()
        try:
            with self._path(sha256).open("rb", buffering=0) as file:
                while chunk := file.read(_CHUNK):
                    state.update(chunk)
        except FileNotFoundError:
            raise ArtifactMissing(f"The file {name} was not uploaded, or is gone.") from None
        return state

    def _path(self, sha256: str) -> Path:
        return self._root / sha256[:2] / sha256
