"""The head file: the size and root that the keeper acknowledged, kept outside the database, in the keeper's own folder.

The database alone cannot tell that it was restored from yesterday; against the head it shows. The file has a header
with a random key and two slots. Each write goes to the slot that is not the newest, in place, and is synced: a write
torn by a crash leaves the slot before it, which the database then extends by a commit that carries the keeper's stamp.
"""

from __future__ import annotations

import contextlib
import fcntl
import hmac
import os
import secrets
import time
from pathlib import Path

import msgspec

from hsmpub.tlog.rules import HeadDamaged, LogAbsent, LogExists, LogInUse, LogUnavailable

_MAGIC = b"hsmpub log head 1\n"
_KEY_BYTES = 32
#: The process that wrote for a keeper that was killed ends a little after it, and a sync may hold it up.
LOCK_SECONDS = 3.0
_SLOT_AT = (4096, 8192)  # a page apart, so that a torn write meets one slot only
_FILE_BYTES = 12288
_SLOT_BYTES = 8 + 8 + 32 + 32


class Head(msgspec.Struct, frozen=True):
    """size: entries; root: raw SHA-256, 32 bytes."""

    size: int
    root: bytes


class HeadFile:
    """The open, locked head file. `head`: what was acknowledged last; `key`: for stamps, never leaves the keeper."""

    def __init__(self, fd: int, key: bytes, sequence: int, head: Head) -> None:
        self._fd = fd
        self.key = key
        self._sequence = sequence
        self.head = head

    @classmethod
    def create(cls, path: Path, head: Head) -> HeadFile:
        """Raises LogExists, LogUnavailable."""
        key = secrets.token_bytes(_KEY_BYTES)
        content = bytearray(_FILE_BYTES)
        content[: len(_MAGIC) + _KEY_BYTES] = _MAGIC + key
        content[_SLOT_AT[0] : _SLOT_AT[0] + _SLOT_BYTES] = _dump_slot(key, 0, head)
        try:
            fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
            try:
                os.write(fd, content)
                os.fsync(fd)
            finally:
                os.close(fd)
            directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        except FileExistsError:
            raise LogExists(f"There is a head file at {path} already.") from None
        except OSError as e:
            raise LogUnavailable(f"The head file cannot be made at {path}: {e.strerror}.") from e
        return cls.open(path)

    @classmethod
    def open(cls, path: Path) -> HeadFile:
        """Opens and locks it for one keeper.

        Raises:
            LogAbsent: no such file.
            LogInUse: another process holds it.
            HeadDamaged: neither slot is whole.
        """
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            raise LogAbsent(f"There is no head file at {path}.") from None
        except OSError as e:
            raise LogUnavailable(f"The head file {path} cannot be opened: {e.strerror}.") from e
        try:
            _lock(fd)
            return cls._load(fd, os.pread(fd, _FILE_BYTES + 1, 0))
        except BlockingIOError:
            os.close(fd)
            raise LogInUse(f"The head file {path} is held by another process.") from None
        except BaseException:
            os.close(fd)
            raise

    @classmethod
    def inherit(cls, fd: int) -> HeadFile:
        """The head file that another process has open and locked, and gave this one. Raises HeadDamaged."""
        return cls._load(fd, os.pread(fd, _FILE_BYTES + 1, 0))

    @property
    def fd(self) -> int:
        return self._fd

    @classmethod
    def _load(cls, fd: int, content: bytes) -> HeadFile:
        if len(content) != _FILE_BYTES or not content.startswith(_MAGIC):
            raise HeadDamaged("The head file has not the form of one.")
        key = content[len(_MAGIC) : len(_MAGIC) + _KEY_BYTES]
        slots = [_load_slot(key, content[at : at + _SLOT_BYTES]) for at in _SLOT_AT]
        whole = [slot for slot in slots if slot is not None]
        if not whole:
            raise HeadDamaged("Neither slot of the head file is whole.")
        return cls(fd, key, *max(whole, key=lambda slot: slot[0]))

    def write(self, head: Head) -> None:
        """The new head, durable. When it fails the old one stands, and the next write goes to the same slot.

        Raises:
            LogUnavailable: the disk refuses.
        """
        sequence = self._sequence + 1
        try:
            if os.pwrite(self._fd, _dump_slot(self.key, sequence, head), _SLOT_AT[sequence % 2]) != _SLOT_BYTES:
                raise LogUnavailable("The head file could not be written in one piece.")
            os.fdatasync(self._fd)
        except OSError as e:
            # what failed to be synced may still be read back after a restart: put the old head there
            with contextlib.suppress(OSError):
                os.pwrite(self._fd, _dump_slot(self.key, sequence, self.head), _SLOT_AT[sequence % 2])
            raise LogUnavailable(f"The head file could not be written: {e.strerror}.") from e
        self._sequence, self.head = sequence, head

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _lock(fd: int) -> None:
    """Raises BlockingIOError: somebody holds it, and goes on holding it."""
    until = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise
            time.sleep(0.005)


def _dump_slot(key: bytes, sequence: int, head: Head) -> bytes:
    body = sequence.to_bytes(8, "big") + head.size.to_bytes(8, "big") + head.root
    return body + hmac.digest(key, b"hsmpub log head v1" + body, "sha256")


def _load_slot(key: bytes, slot: bytes) -> tuple[int, Head] | None:
    body, mac = slot[:48], slot[48:]
    if not hmac.compare_digest(hmac.digest(key, b"hsmpub log head v1" + body, "sha256"), mac):
        return None
    return int.from_bytes(body[:8], "big"), Head(int.from_bytes(body[8:16], "big"), body[16:])
