"""A multipart form that streams one file, and withholds its end until the file's digest is known to be right.

Source: RFC 7578.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from hsmpub.targets.target import ArtifactChanged

CHUNK_BYTES = 256 * 1024


def check_stored(path: Path, sha256: str, size: int) -> None:
    """Raises ArtifactChanged: the file is gone, or its size or digest is not what was approved."""
    try:
        with path.open("rb") as file:
            same = os.fstat(file.fileno()).st_size == size and hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        raise ArtifactChanged("The stored artifact cannot be read.") from None
    if not same:
        raise ArtifactChanged("The stored artifact is not what was approved.")


class FileForm:
    """One form with text fields and the file as its last part.

    Args:
        fields: names and values, in order. field: form name of the file; filename: a plain base name.
        path: the bytes; sha256 and size: what was approved.
    """

    def __init__(self, fields: list[tuple[str, str]], *, field: str, filename: str, path: Path,
                 sha256: str, size: int) -> None:  # fmt: skip
        boundary = f"hsmpub-{secrets.token_hex(16)}"
        self.content_type = f"multipart/form-data; boundary={boundary}"
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in fields
        ]
        parts.append(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="{filename}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        self._head = "".join(parts).encode("utf-8", "replace")
        self._tail = f"\r\n--{boundary}--\r\n".encode()
        self._path, self._sha256, self._size = path, sha256, size
        self.length = len(self._head) + size + len(self._tail)

    def chunks(self) -> Iterator[bytes]:
        """The whole body, `length` bytes.

        The last piece of the file leaves only after all of it was hashed, so a file that was changed after its
        approval never arrives complete.

        Raises:
            ArtifactChanged: the file is gone, or its size or digest is not what was approved.
        """
        yield self._head
        digest, left = hashlib.sha256(), self._size
        held = b""
        try:
            with self._path.open("rb") as file:
                while chunk := file.read(CHUNK_BYTES):
                    if held:
                        yield held
                    digest.update(chunk)
                    left -= len(chunk)
                    held = chunk
                    if left < 0:
                        break
        except OSError:
            raise ArtifactChanged("The stored artifact cannot be read.") from None
        if left or digest.hexdigest() != self._sha256:
            raise ArtifactChanged("The stored artifact is not what was approved.")
        yield held + self._tail
