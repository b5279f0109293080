"""Bytes from a peer that may be hostile: every read is bounded in time, and all reads together in size."""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Callable
from typing import Any

from hsmpub.errors import TooLarge


class AnswerTooLarge(TooLarge):
    advice = "The target answers with more than any honest one; look at it before you go on."


class Deadline:
    """A point in monotonic time. lifetime: seconds in all; timeout: seconds for one operation."""

    def __init__(self, lifetime: float, timeout: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + lifetime
        self._timeout = timeout

    def next(self) -> float:
        """Seconds that the next operation may take. Raises TimeoutError when none are left."""
        left = self._end - self._clock()
        if left <= 0:
            raise TimeoutError("the time for this request is used up")
        return min(left, self._timeout)


class BoundedReader(io.RawIOBase):
    """A socket as a raw stream for `http.client`: each recv within the deadline, at most `cap` bytes in all.

    Raises (from reads): TimeoutError, AnswerTooLarge.
    """

    def __init__(self, sock: socket.socket, deadline: Deadline, cap: int) -> None:
        super().__init__()
        self._sock = sock
        self._deadline = deadline
        self._left = cap

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(self._deadline.next())
        count = self._sock.recv_into(buffer)
        self._left -= count
        if self._left < 0:
            raise AnswerTooLarge("The answer is over the cap.")
        return count

    def makefile(self, _mode: str) -> io.BufferedReader:
        """What `http.client.HTTPResponse` asks of a socket."""
        return io.BufferedReader(self, 65536)
