"""Frames on a Unix socket: four-byte big-endian length, then that many bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hsmpub.errors import Invalid
from hsmpub.wire.outbox import Outbox

#: More than any honest message takes: a batch of 256 files with names and hash states is under 128 KiB.
MAX_FRAME_BYTES = 4 * 1024 * 1024
_HEADER = 4


class FrameTooLarge(Invalid):
    advice = "Split the request."


def frame(data: bytes) -> bytes:
    """`data` with its length before it."""
    if len(data) > MAX_FRAME_BYTES:
        raise FrameTooLarge(f"A message of {len(data):,} bytes is over the cap of {MAX_FRAME_BYTES:,}.")
    return len(data).to_bytes(_HEADER, "big") + data


class Framed(asyncio.Protocol):
    """Cuts a byte stream into frames; hands each to `on_frame`. A frame over the cap ends the connection."""

    def __init__(self, on_frame: Callable[[bytes], None], on_lost: Callable[[], None] | None = None) -> None:
        self._on_frame = on_frame
        self._on_lost = on_lost
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._outbox: Outbox | None = None
        self._drained = asyncio.Event()
        self._drained.set()
        self.is_drained = True  # the other side reads as fast as it is written to
        self.is_open = False  # a write that failed shows here when the turn of the event loop is over

    @property
    def transport(self) -> asyncio.Transport:
        if self._transport is None:
            raise ConnectionError("not connected")
        return self._transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport) or hasattr(transport, "write"):
            self._transport = transport  # type: ignore[assignment]  # uvloop's is not a subclass
            self._outbox = Outbox(self.transport)
            self.is_open = True

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        start, there = 0, len(buffer)
        while (body := start + _HEADER) <= there:
            end = body + int.from_bytes(buffer[start:body], "big")
            if end - body > MAX_FRAME_BYTES:
                self.close()
                return
            if end > there:
                break
            self._on_frame(bytes(buffer[body:end]))
            start = end
        if start:
            del buffer[:start]

    def pause_writing(self) -> None:
        self.is_drained = False
        self._drained.clear()

    def resume_writing(self) -> None:
        self.is_drained = True
        self._drained.set()

    async def drained(self) -> None:
        """Waits while the other side reads too slowly."""
        await self._drained.wait()

    def send(self, data: bytes) -> None:
        """Queues one frame; those of one turn of the event loop leave together.

        Raises:
            ConnectionError: the connection is gone.
        """
        if self._outbox is None or self._outbox.is_closing():
            raise ConnectionError("the connection is closed")
        self._outbox.write(frame(data))

    def eof_received(self) -> None:
        """The transport closes itself after this, however long the rest that it still has to send may take."""
        self.is_open = False

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        self.is_drained = True
        self._drained.set()
        if self._on_lost is not None:
            self._on_lost()

    def close(self) -> None:
        self.is_open = False
        if self._outbox is not None:
            self._outbox.close()
