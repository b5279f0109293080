"""Frames over a pipe between a process and its child, read and written with patience that ends.

A frame is a four-byte big-endian length and that many bytes.
"""

from __future__ import annotations

import os
import select
import time

MAX_FRAME_BYTES = 4 << 20


def send_frame(fd: int, data: bytes) -> None:
    """All of it. Raises BrokenPipeError: the other side is gone."""
    view = memoryview(len(data).to_bytes(4, "big") + data)
    while view:
        view = view[os.write(fd, view) :]


def receive_frame(fd: int, seconds: float | None = None) -> bytes:
    """The next frame.

    Raises:
        EOFError: the other side is gone, or sends more than a frame holds.
        TimeoutError: it did not come whole within these seconds.
    """
    end = None if seconds is None else time.monotonic() + seconds
    size = int.from_bytes(_receive(fd, 4, end), "big")
    if size > MAX_FRAME_BYTES:
        raise EOFError("The other side sent more than a frame holds.")
    return _receive(fd, size, end)


def _receive(fd: int, size: int, end: float | None) -> bytes:
    data = bytearray()
    while len(data) < size:
        if end is not None:
            ready = select.poll()
            ready.register(fd, select.POLLIN)
            if not ready.poll(max(0.0, end - time.monotonic()) * 1000):
                raise TimeoutError
        piece = os.read(fd, size - len(data))
        if not piece:
            raise EOFError("The other side closed the pipe.")
        data += piece
    return bytes(data)
