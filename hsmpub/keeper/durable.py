"""Small files of the keeper's own, by the SHA-256 of their content: whole and durable, or not there."""

from __future__ import annotations

import os
from pathlib import Path

from hsmpub.model.digest import sha256_hex


def write_durable(folder: Path, data: bytes) -> str:
    """Writes `folder/<sha256>`. Returns: the SHA-256, hex."""
    digest = sha256_hex(data)
    folder.mkdir(mode=0o700, exist_ok=True)
    temporary = folder / f".{digest}.{os.getpid()}"
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(folder / digest)
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
    return digest


def read_durable(folder: Path, digest: str) -> bytes | None:
    """The content, or None if it is missing or is not that any more."""
    try:
        data = (folder / digest).read_bytes()
    except FileNotFoundError:
        return None
    return data if sha256_hex(data) == digest else None
