"""One artifact on its way to the disk: hashed while it is written, and there as a whole or not at all.

Order: exclusive temporary file, locked → bytes → fsync → directory → rename → fsync of the directories.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from hsmpub.artifact.store import ArtifactDiffers, ArtifactStoreFailed, ArtifactStoreFull, Stored

PREFIX = ".incoming-"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Incoming:
    """A locked temporary file under `root`. Its methods block; they may be called from any thread, one by one."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._digest = hashlib.sha256()
        self._size = 0
        self._busy = threading.Lock()  # a cancelled task abandons the file while a thread may still write to it
        with disk_errors():
            self._path, self._fd = _create(root)

    def absorb(self, chunks: Sequence[bytes]) -> None:
        """Append and hash. Raises ArtifactStoreFull, ArtifactStoreFailed."""
        with self._busy, disk_errors():
            for chunk in chunks:
                if self._fd < 0:
                    return
                self._digest.update(chunk)
                self._size += len(chunk)
                rest = memoryview(chunk)
                while rest:
                    rest = rest[os.write(self._fd, rest) :]

    def settle(self, expect: str | None) -> Stored:
        """Give the file its name, durably. Raises ArtifactDiffers, ArtifactStoreFull, ArtifactStoreFailed."""
        sha256 = self._digest.hexdigest()
        if expect not in (None, sha256):
            raise ArtifactDiffers("The file that arrived is not the one that was announced.")
        folder = self._root / sha256[:2]
        with self._busy, disk_errors():
            if self._fd < 0:
                raise ArtifactStoreFailed("The upload was abandoned.")
            os.fchmod(self._fd, 0o440)
            os.fsync(self._fd)
            with suppress(FileExistsError):
                folder.mkdir(mode=0o750)
                _sync_folder(self._root)
            os.rename(self._path, folder / sha256)
            _sync_folder(folder)
        return Stored(sha256, self._size)

    def abandon(self) -> None:
        """Close, and remove what did not settle. Harmless when it did, or twice."""
        with self._busy:
            if self._fd >= 0:
                with suppress(FileNotFoundError):
                    self._path.unlink()
                os.close(self._fd)
                self._fd = -1


def collect_stale(root: Path) -> int:
    """Remove temporary files whose writers are gone; returns how many."""
    removed = 0
    for path in root.glob(f"{PREFIX}*"):
        try:
            fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
            removed += 1
        except OSError:
            pass  # its writer lives, or another front was quicker
        finally:
            os.close(fd)
    return removed


@contextmanager
def disk_errors() -> Iterator[None]:
    """Raises ArtifactStoreFull, ArtifactStoreFailed."""
    try:
        yield
    except OSError as e:
        if e.errno in _FULL:
            raise ArtifactStoreFull("The disk of the artifact store is full, or a limit on it is reached.") from e
        raise ArtifactStoreFailed(f"The artifact store failed: {os.strerror(e.errno or 0)}.") from e


def _create(root: Path) -> tuple[Path, int]:
    while True:
        path = root / f"{PREFIX}{secrets.token_hex(16)}"
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(fd).st_nlink:
                return path, fd
        except BlockingIOError:
            pass  # a collector came between open and lock, and takes the file away
        except OSError:
            os.close(fd)
            raise
        os.close(fd)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
