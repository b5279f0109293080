"""Structured logs: one JSON object a line. Names, numbers and rules; never a body, a token or an exception's text."""

from __future__ import annotations

import asyncio
import contextlib
import os
import traceback
from select import PIPE_BUF
from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode_lines


class RequestLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """One answered request. ms: milliseconds from the first to the last byte."""

    at: str
    event: str
    id: str
    method: str
    route: str
    status: int
    ms: float
    rule: str = ""
    fault: str = ""


class JsonLog:
    """Writes lines to a file descriptor (standard error). Those of one turn of the event loop share a system call, but
    no call takes more than a pipe takes at once: lines of several processes do not mix."""

    def __init__(self, fd: int = 2) -> None:
        self.fd = fd
        self._waiting: list[msgspec.Struct | dict[str, Any]] = []

    def write(self, line: msgspec.Struct | dict[str, Any]) -> None:
        self._waiting.append(line)
        if len(self._waiting) == 1:
            try:
                asyncio.get_running_loop().call_soon(self.flush)
            except RuntimeError:  # no loop runs yet, or any more
                self.flush()

    def flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        try:
            self._put(_encode(waiting))
        except (TypeError, ValueError):
            if len(waiting) == 1:
                raise
            for line in waiting:  # one cannot be written out, the others can
                with contextlib.suppress(TypeError, ValueError):
                    self._put(_encode([line]))

    def _put(self, lines: bytes) -> None:
        while lines:
            end = lines.rfind(b"\n", 0, PIPE_BUF) + 1 or lines.find(b"\n") + 1
            self._emit(lines[:end])
            lines = lines[end:]

    def _emit(self, data: bytes) -> None:
        try:
            os.write(self.fd, data)
        except OSError:  # a log that cannot be written must not stop the service; /metrics still counts
            return


def where(error: BaseException) -> str:
    """Type and places of an unexpected error, without its text: that may quote what was sent."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    places = " < ".join(f"{os.path.basename(f.filename)}:{f.lineno} {f.name}" for f in reversed(frames))
    return f"{type(error).__name__} at {places}"
