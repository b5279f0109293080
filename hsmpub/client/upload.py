"""Uploads: hashed here first, skipped where the service has the bytes already, streamed in constant memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from hsmpub.artifact.plain_file import open_plain
from hsmpub.client.session import CiSession
from hsmpub.client.sha256 import FileChanged, held_hash
from hsmpub.client.steps import Call, Steps, call, locally
from hsmpub.errors import Invalid
from hsmpub.model.submission import FileRef, check_file_name

_PIECE = 256 * 1024
Progress = Callable[[int], None]


class Stored(msgspec.Struct, frozen=True):
    """What the service took in: SHA-256 (hex) and size (bytes), both counted by itself."""

    sha256: str
    size: int


class FileUnreadable(Invalid):
    advice = "Check the path."


_stored = msgspec.json.Decoder(Stored)


def refer_to(path: Path) -> FileRef:
    """Name, digest and size of a file, read once.

    Raises:
        HostileName, FileUnreadable, FileChanged, NotAPlainFile.
    """
    check_file_name(path.name)
    try:
        held = held_hash(path)
        return FileRef(path.name, held.digest().hex(), held.size)
    except OSError as e:
        raise FileUnreadable(f"{path} cannot be read: {e.strerror}.") from None


def upload(session: CiSession, path: Path, *, reference: FileRef | None = None,
           progress: Progress | None = None) -> Steps[FileRef]:  # fmt: skip
    """Makes sure that the service has the file.

    Args:
        reference: what `refer_to` said of it, where that was asked before.
        progress: called with the number of bytes that went on their way since the last call.

    Raises:
        FileChanged: the service hashed other bytes than this process did.
        HostileName, FileUnreadable, Refused, ServiceUnreachable.
    """
    told = progress or (lambda _: None)
    named = reference or (yield from locally(lambda: refer_to(path)))
    if (yield Call("HEAD", f"/v1/artifacts/{named.sha256}", lambda status, _: status == 200)):
        told(named.size)
        return named
    headers = {
        "hsmpub-session": session.id,
        "hsmpub-sha256": named.sha256,
        "content-length": str(named.size),
        "content-type": "application/octet-stream",
    }
    pieces = _Pieces(path, named.size, told)
    stored = yield from call("PUT", "/v1/artifacts", _stored, content=pieces, headers=headers)
    if stored.sha256 != named.sha256 or stored.size != named.size:
        raise FileChanged(f"{path.name} changed while it was sent.")
    return named


class _Pieces:
    """Exactly `size` bytes of a file, or FileChanged."""

    def __init__(self, path: Path, size: int, progress: Progress) -> None:
        self._path, self._size, self._progress = path, size, progress

    def __iter__(self) -> Iterator[bytes]:
        left = self._size
        with open_plain(self._path) as file:
            while left:
                piece = file.read(min(_PIECE, left))
                if not piece:
                    raise FileChanged(f"{self._path.name} became shorter while it was sent.")
                left -= len(piece)
                yield piece
                self._progress(len(piece))
