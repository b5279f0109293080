"""Files at hand, read once, for the verification of a receipt."""

from __future__ import annotations

from pathlib import Path

from hsmpub.artifact.source import PathSource
from hsmpub.client.sha256 import can_hash, hash_file, held_hash
from hsmpub.client.upload import FileUnreadable
from hsmpub.formats.sha256state import FileHash, Sha256State
from hsmpub.receipt.files import MAX_SIGNATURE_BYTES, GivenFile


def given_file(path: Path) -> GivenFile:
    """A file's name, hash and, where it is small enough to be a signature, content.

    Raises:
        FileUnreadable, NotAPlainFile, FileChanged.
    """
    try:
        small = path.stat().st_size <= MAX_SIGNATURE_BYTES
        content = path.read_bytes() if small and path.is_file() else None
        return GivenFile(path.name, _hash(path), content, PathSource(path))
    except OSError as e:
        raise FileUnreadable(f"{path} cannot be read: {e.strerror}.") from None


def _hash(path: Path) -> FileHash:
    return Sha256State.of_state(hash_file(path)) if can_hash() else held_hash(path)
