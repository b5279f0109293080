"""Frames on the private channel between a process and its child: four bytes of length, big-endian, one msgpack."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import TypeVar

import msgspec

_T = TypeVar("_T")
HEADER_BYTES = 4
#: No message to or from a process of the HSM comes near; a larger length means that the channel is out of step.
MAX_FRAME_BYTES = 16 * 1024 * 1024
_AHEAD_BYTES = 64 * 1024

_ENCODER = msgspec.msgpack.Encoder()


class ChannelBroken(Exception):
    """The other side is gone or out of step."""


def pack_frame(message: msgspec.Struct) -> bytes:
    body = _ENCODER.encode(message)
    return len(body).to_bytes(HEADER_BYTES, "big") + body


def read_frame(channel: socket.socket, decoder: msgspec.msgpack.Decoder[_T], max_bytes: int = MAX_FRAME_BYTES) -> _T:
    """Reads exactly one frame and nothing beyond it, so that raw secrets may follow.

    Raises:
        ChannelBroken: closed, timed out, over the cap, or not a message of this type.
    """
    try:
        length = int.from_bytes(_read_exactly(channel, HEADER_BYTES), "big")
        if length > max_bytes:
            raise ChannelBroken("a frame is over the cap")
        return decoder.decode(_read_exactly(channel, length))
    except (OSError, msgspec.MsgspecError) as error:
        raise ChannelBroken(f"the channel failed: {type(error).__name__}") from error


def read_frames(
    channel: socket.socket, decoder: msgspec.msgpack.Decoder[_T], max_bytes: int = MAX_FRAME_BYTES
) -> Iterator[_T]:
    """All frames from here on, mostly in one system call each, until the other side closes the channel. Reads ahead, so
    nothing but frames may follow; waits without end, whatever the channel's timeout.

    Raises:
        ChannelBroken: it ended amid a frame; otherwise as above.
    """
    try:
        channel.setblocking(True)  # one with a timeout would seem closed when nothing is there yet
        with open(channel.fileno(), "rb", _AHEAD_BYTES, closefd=False) as stream:
            while header := stream.read(HEADER_BYTES):
                length = int.from_bytes(header, "big")
                if length > max_bytes:
                    raise ChannelBroken("a frame is over the cap")
                body = stream.read(length)
                if len(body) < length:
                    raise ChannelBroken("the other side closed the channel")
                yield decoder.decode(body)
    except (OSError, msgspec.MsgspecError) as error:
        raise ChannelBroken(f"the channel failed: {type(error).__name__}") from error


def cut_frames(buffer: bytearray) -> Iterator[bytes]:
    """The contents of the frames that are whole, each taken out of the buffer before it is given."""
    while len(buffer) >= HEADER_BYTES:
        end = HEADER_BYTES + int.from_bytes(buffer[:HEADER_BYTES], "big")
        if len(buffer) < end:
            return
        content = bytes(buffer[HEADER_BYTES:end])
        del buffer[:end]
        yield content


def _read_exactly(channel: socket.socket, length: int) -> bytes:
    data = channel.recv(length, socket.MSG_WAITALL) if length else b""
    while len(data) < length:  # a signal may cut MSG_WAITALL short
        more = channel.recv(length - len(data), socket.MSG_WAITALL)
        if not more:
            raise ChannelBroken("the other side closed the channel")
        data += more
    return data
