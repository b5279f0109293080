"""What the keeper reads of the artifact store: it hashes every byte itself, whatever the front said."""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from hsmpub.artifact.source import DescriptorSource
from hsmpub.errors import Conflict, NotFound, Throttled
from hsmpub.formats.format import Artifact, Format
from hsmpub.formats.sha256state import HeldSha256
from hsmpub.model.submission import FileRef

_CHUNK = 1 << 20
#: Two are hashed, so many more requests may wait; and no file is larger (a sparse one costs its writer nothing).
MAX_WAITING = 64
MAX_FILE_BYTES = 64 << 30


class ArtifactMissing(NotFound):
    advice = "Upload the file, then send the request again."
    retry_is_safe = True


class ArtifactAltered(Conflict):
    advice = "The stored bytes are not what the request names. Upload the file again; nothing was signed."
    retry_is_safe = True


class WrongSize(Conflict):
    advice = "Send the size of the very file that was uploaded."


class ManyFilesWait(Throttled):
    pass


class Artifacts:
    """Reads `root/<aa>/<sha256>`; two files at a time, so that large ones do not starve the rest.

    private: a folder that the front cannot write to. Formats that look into a file read a copy there, made while it was
    hashed: what the front puts in the file's place meanwhile is neither hashed nor looked into.
    """

    def __init__(self, root: Path, private: Path) -> None:
        self._root = root
        self._private = private
        self._places = asyncio.Semaphore(2)
        self._waiting = 0

    async def check(self, file: FileRef, formats: Sequence[Format] = ()) -> Artifact:
        """The file is there, whole; hashed, with what these formats need beside the hash.

        Raises:
            ArtifactMissing, ArtifactAltered, WrongSize, ManyFilesWait; the rules of a format's `extract`.
        """
        if await self._size(file.sha256) != file.size:
            raise WrongSize(f"The file {file.name} does not have {file.size:,} bytes.")
        return await self.hashed(file.sha256, file.name, formats)

    async def hashed(self, sha256: str, name: str, formats: Sequence[Format] = ()) -> Artifact:
        """Hashes the stored file, and looks into it for formats that ask for more.

        Args:
            sha256: what the file must hash to, 64 hex characters; name: for messages.

        Raises:
            ArtifactMissing, ArtifactAltered, ManyFilesWait; the rules of a format's `extract`.
        """
        if self._waiting >= MAX_WAITING:
            raise ManyFilesWait(f"{MAX_WAITING} requests wait for their files to be hashed.")
        self._waiting += 1
        try:
            async with self._places:
                return await asyncio.to_thread(self._read, sha256, name, formats)
        finally:
            self._waiting -= 1

    def _read(self, sha256: str, name: str, formats: Sequence[Format]) -> Artifact:
        curious = [form for form in formats if form.detail_limit]
        if not curious:
            return Artifact(name, self._hash(sha256, name))
        with tempfile.TemporaryFile(dir=self._private) as copy:
            state = self._hash(sha256, name, copy)
            source = DescriptorSource(copy.fileno(), state.size)
            return Artifact(name, state, {form.name: form.extract(source) for form in curious})

    async def _size(self, sha256: str) -> int:
        try:
            return (await asyncio.to_thread(self._path(sha256).lstat)).st_size
        except FileNotFoundError:
            raise ArtifactMissing(f"No file with the digest {sha256} was uploaded.") from None

    def _hash(self, sha256: str, name: str, copy: IO[bytes] | None = None) -> HeldSha256:
        """Hashes, and copies what it hashes.

        The front owns the folder: a link, pipe or device in a file's place, or a file that grows without end, must not
        hold the keeper up, nor lead it elsewhere.
        """
        state, size = hashlib.sha256(), 0
        try:
            fd = os.open(self._path(sha256), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            raise ArtifactMissing(f"The file {name} was not uploaded, or is gone.") from None
        except OSError:
            raise ArtifactAltered(f"The stored file {name} was replaced by something that is no file.") from None
        try:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_FILE_BYTES:
                raise ArtifactAltered(f"The stored file {name} was replaced by something that is no file.")
            while chunk := os.read(fd, _CHUNK):
                state.update(chunk)
                if copy is not None:
                    copy.write(chunk)
                size += len(chunk)
                if size > found.st_size:
                    raise ArtifactAltered(f"The stored file {name} grew while it was read.")
        finally:
            os.close(fd)
        if state.hexdigest() != sha256:
            raise ArtifactAltered(f"The stored file {name} was altered after its upload.")
        if copy is not None:
            copy.flush()
        return HeldSha256(state, size)

    def _path(self, sha256: str) -> Path:
        return self._root / sha256[:2] / sha256
