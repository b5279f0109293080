"""Writes gathered: what is written within one turn of the event loop leaves with one system call.

Answers come in bunches, since requests are signed and logged in bunches; and an HTTP answer is written in two parts.
"""

from __future__ import annotations

import asyncio
from typing import Any

#: So much is not held back any longer: who writes without end must feel the other side's pace.
MOST_BYTES = 64 * 1024


class Outbox:
    """Stands before a transport; what a protocol asks of one beyond this goes to the transport itself."""

    __slots__ = ("_loop", "_parts", "_size", "is_closing", "transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.is_closing = transport.is_closing  # its own: asked several times for each request
        self._loop = asyncio.get_running_loop()
        self._parts: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        if not self._parts:
            self._loop.call_soon(self.flush)
        self._parts.append(data)
        self._size += len(data)
        if self._size >= MOST_BYTES:
            self.flush()

    def flush(self) -> None:
        """Hands over what waits; nothing, if the connection is gone."""
        parts = self._parts
        if parts:
            self._parts, self._size = [], 0
            if not self.is_closing():
                self.transport.writelines(parts)

    def close(self) -> None:
        """Closes after what was written so far."""
        self.flush()
        self.transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)
