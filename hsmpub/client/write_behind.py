"""Writing in a thread, while what comes next is read and hashed: half of the time of a large file is the disk's."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from typing import BinaryIO

#: A piece is handed over when so many bytes have come together: for less, a thread costs more than it spares.
_PIECE_BYTES = 1 << 20


class WriteBehind:
    """One piece is being written at most, so memory stays the same for a file of any size.

    Args:
        file: nobody else writes to it before `flush` has returned.
        beside: its thread writes; whoever made it ends it before the file is closed.
    """

    def __init__(self, file: BinaryIO, beside: Executor) -> None:
        self._file = file
        self._beside = beside
        self._waiting: list[bytes] = []
        self._size = 0
        self._under_way: Future[None] | None = None

    def write(self, data: bytes) -> None:
        """Raises OSError: the piece before could not be written."""
        self._waiting.append(data)
        self._size += len(data)
        if self._size >= _PIECE_BYTES:
            self._hand_over()

    def flush(self) -> None:
        """Returns when the system has all of it. Raises OSError."""
        self._hand_over()
        self._settle()
        self._file.flush()

    def _hand_over(self) -> None:
        self._settle()
        self._under_way = self._beside.submit(self._file.writelines, self._waiting)
        self._waiting, self._size = [], 0

    def _settle(self) -> None:
        if self._under_way is not None:
            self._under_way.result()
