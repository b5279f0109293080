"""An open file, as the formats read it (hsmpub.formats.source)."""

from __future__ import annotations

import os
from pathlib import Path

from hsmpub.artifact.plain_file import open_plain
from hsmpub.formats.source import FileTooShort, check_range


class DescriptorSource:
    """An open file; whoever opened it closes it, and knows that nobody writes to it meanwhile."""

    def __init__(self, fd: int, size: int) -> None:
        self._fd = fd
        self._size = size

    @property
    def size(self) -> int:
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        check_range(self, offset, length)
        whole = os.pread(self._fd, length, offset)
        if len(whole) == length:
            return whole
        found = bytearray(whole)
        while len(found) < length:
            piece = os.pread(self._fd, length - len(found), offset + len(found))
            if not piece:
                raise FileTooShort("The file was cut short while it was read.")
            found += piece
        return bytes(found)


class PathSource:
    """A file by its path, opened for each reading: nothing to close."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = path.stat().st_size

    @property
    def size(self) -> int:
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        """Raises FileTooShort; NotAPlainFile; OSError: the file cannot be read."""
        check_range(self, offset, length)
        with open_plain(self._path) as file:
            return DescriptorSource(file.fileno(), self._size).read(offset, length)
