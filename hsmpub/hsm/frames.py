"""Frames on the private channel between a process and its child: four bytes of length, big-endian, one msgpack."""

from __future__ import annotations

import socket
from typing import TypeVar

import msgspec

_T = TypeVar("_T")
HEADER_BYTES = 4
#: No message of the package comes near; a larger length means that the channel is out of step.
MAX_FRAME_BYTES = 16 * 1024 * 1024

_ENCODER = msgspec.msgpack.Encoder()


class ChannelBroken(Exception):
    """The other side is gone or out of step."""


def pack_frame(message: msgspec.Struct) -> bytes:
    body = _ENCODER.encode(message)
    return len(body).to_bytes(HEADER_BYTES, "big") + body


def read_frame(channel: socket.socket, decoder: msgspec.msgpack.Decoder[_T]) -> _T:
    """Reads exactly one frame and nothing beyond it, so that raw secrets may follow.

    Raises:
        ChannelBroken: closed, timed out, over the cap, or not a message of this type.
    """
    try:
        length = int.from_bytes(_read_exactly(channel, HEADER_BYTES), "big")
        if length > MAX_FRAME_BYTES:
            raise ChannelBroken("a frame is over the cap")
        return decoder.decode(_read_exactly(channel, length))
    except (OSError, msgspec.MsgspecError) as error:
        raise ChannelBroken(f"the channel failed: {type(error).__name__}") from error


def _read_exactly(channel: socket.socket, length: int) -> bytes:
    data = channel.recv(length, socket.MSG_WAITALL) if length else b""
    while len(data) < length:  # a signal may cut MSG_WAITALL short
        more = channel.recv(length - len(data), socket.MSG_WAITALL)
        if not more:
            raise ChannelBroken("the other side closed the channel")
        data += more
    return data
