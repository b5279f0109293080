"""What the keeper reads of the artifact store: it hashes every byte itself, whatever the front said.

Where a format asks for more than the hash, a process looks into that one file (hsmpub.artifact.extraction).
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from hsmpub.artifact.extraction import SECONDS, Extraction, NoRoomToLook, check_room
from hsmpub.errors import Conflict, NotFound, Refused
from hsmpub.formats.format import Artifact, Format
from hsmpub.formats.sha256state import HeldSha256
from hsmpub.keeper.places import ManyFilesWait, Places
from hsmpub.model.submission import FileRef

_CHUNK = 1 << 20
#: Files that are hashed, and that are looked into, at once: those that take long to read hold up their like only.
_AT_ONCE = 2
#: A process that is ready to fork for files, and has none, ends after this long.
IDLE_SECONDS = 10.0
#: No file is larger (a sparse one costs its writer nothing).
MAX_FILE_BYTES = 64 << 30


class ArtifactMissing(NotFound):
    advice = "Upload the file, then send the request again."
    retry_is_safe = True


class ArtifactReplaced(Conflict):
    advice = "The stored bytes are not what the request names. Upload the file again; nothing was signed."
    retry_is_safe = True


class WrongSize(Conflict):
    advice = "Send the size of the very file that was uploaded."


class Artifacts:
    """Reads `root/<aa>/<sha256>`; two files at a time, so that large ones do not starve the rest.

    private: a folder that the front cannot write to. Formats that look into a file read a copy there, made while it was
    hashed: what the front puts in the file's place meanwhile is neither hashed nor looked into.
    seconds: that a child has for a small file.
    """

    def __init__(self, root: Path, private: Path, seconds: float = SECONDS) -> None:
        self._root = root
        self._private = private
        self._seconds = seconds
        self._hashing = Places(_AT_ONCE, "hashed")
        self._looking = Places(_AT_ONCE, "looked into")
        self._idle: list[Extraction] = []
        self._ending: asyncio.TimerHandle | None = None

    async def check(self, file: FileRef, formats: Sequence[Format] = ()) -> Artifact:
        """The file is there, whole; hashed, with what these formats need beside the hash.

        Raises:
            WrongSize; as `hashed`.
        """
        if await self._size(file.sha256) != file.size:
            raise WrongSize(f"The file {file.name} does not have {file.size:,} bytes.")
        return await self.hashed(file.sha256, file.name, formats)

    async def hashed(self, sha256: str, name: str, formats: Sequence[Format] = ()) -> Artifact:
        """Hashes the stored file, and looks into it for formats that ask for more.

        Args:
            sha256: what the file must hash to, 64 hex characters; name: for messages.

        Raises:
            ArtifactMissing, ArtifactReplaced, ManyFilesWait, NoRoomToLook; Refused with the rule of a format's
            `extract`; ExtractionTooLong, ExtractorLost.
        """
        if curious := [form for form in formats if form.detail_limit]:
            return await self._looked_into(sha256, name, curious)
        async with self._hashing:
            return Artifact(name, await asyncio.to_thread(self._hash, sha256, name))

    def close(self) -> None:
        """Ends the children that have nothing to do."""
        if self._ending is not None:
            self._ending.cancel()
        while self._idle:
            self._idle.pop().close()

    async def _looked_into(self, sha256: str, name: str, formats: Sequence[Format]) -> Artifact:
        async with self._looking:
            child = (
                self._idle.pop() if self._idle else await asyncio.to_thread(Extraction, self._private, self._seconds)
            )
            try:
                async with self._hashing:
                    state = await asyncio.to_thread(self._hash, sha256, name, child.new_copy())
                details = await asyncio.to_thread(child.extract, name, formats, state.size)
            except (Refused, ArtifactReplaced, ArtifactMissing, ManyFilesWait, NoRoomToLook):
                self._keep(child)
                raise
            except BaseException:  # it is still busy, or lost
                child.close()
                raise
            self._keep(child)
            return Artifact(name, state, details)

    def _keep(self, child: Extraction) -> None:
        child.drop_copy()
        self._idle.append(child)
        if self._ending is not None:
            self._ending.cancel()
        self._ending = asyncio.get_running_loop().call_later(IDLE_SECONDS, self.close)

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
            raise ArtifactReplaced(f"The stored file {name} was replaced by something that is no file.") from None
        try:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_FILE_BYTES:
                raise ArtifactReplaced(f"The stored file {name} was replaced by something that is no file.")
            if copy is not None:
                check_room(copy, found.st_size, name)
            while chunk := os.read(fd, _CHUNK):
                state.update(chunk)
                if copy is not None:
                    write_whole(copy, chunk)
                size += len(chunk)
                if size > found.st_size:
                    raise ArtifactReplaced(f"The stored file {name} grew while it was read.")
        finally:
            os.close(fd)
        if state.hexdigest() != sha256:
            raise ArtifactReplaced(f"The stored file {name} was altered after its upload.")
        return HeldSha256(state, size)

    def _path(self, sha256: str) -> Path:
        return self._root / sha256[:2] / sha256


def write_whole(file: IO[bytes], data: bytes) -> None:
    """To an unbuffered file, which may take less at once."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]
