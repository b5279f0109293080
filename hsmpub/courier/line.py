"""The courier channel for code without an event loop: one connection, one call.

The same frames as hsmpub.wire.client; children start faster without asyncio.
"""

from __future__ import annotations

import contextlib
import socket

import msgspec

from hsmpub.courier.task import MAX_FRAME_BYTES
from hsmpub.errors import Problem, Unavailable
from hsmpub.wire import messages as m

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(m.CourierAnswer).decode


class KeeperUnreachable(Unavailable):
    advice = "See on the host whether the keeper runs; the courier goes on by itself when it does."


def ask(path: str, token: bytes, message: m.CourierMessage, *, timeout: float = 60.0) -> m.CourierReply:
    """Sends one message to the keeper and waits for its answer.

    Args:
        path: the channel's socket. token: the channel's token, 32 bytes, or empty where uids tell the channels apart.
        timeout: seconds for each operation on the socket.

    Raises:
        Refused: the keeper's own refusal, unchanged.
        KeeperUnreachable: no keeper, or it went away before it answered; the outcome may be unknown.
    """
    call = _frame(_encode(m.CourierCall(1, message)))
    try:
        with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as sock:
            sock.settimeout(timeout)
            sock.connect(path)
            sock.sendall((_frame(token) if token else b"") + call)
            answer = _decode(_receive(sock, _length(_receive(sock, 4))))
    except (OSError, EOFError, msgspec.MsgspecError):
        raise KeeperUnreachable("The keeper did not answer.") from None
    if isinstance(answer.reply, Problem):
        raise answer.reply.as_error()
    return answer.reply


def _frame(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def _length(header: bytes) -> int:
    length = int.from_bytes(header, "big")
    if length > MAX_FRAME_BYTES:
        raise EOFError
    return length


def _receive(sock: socket.socket, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        piece = sock.recv(min(count - len(data), 65536))
        if not piece:
            raise EOFError
        data += piece
    return bytes(data)
