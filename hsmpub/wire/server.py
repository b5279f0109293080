"""The keeper's end of a channel: checks who connects, decodes the closed set, answers each call."""

from __future__ import annotations

import asyncio
import hmac
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import Any

import msgspec

from hsmpub.errors import Broken, HsmpubError, Problem, TooLarge
from hsmpub.wire.frame import MAX_FRAME_BYTES, Framed
from hsmpub.wire.peer import peer_of

log = logging.getLogger("hsmpub.wire")

MAX_CONNECTIONS = 64
#: Calls of one connection that are under way; far more than a front's own caps let through.
MAX_CALLS = 1024
MAX_CALL_BYTES = 16 * 1024 * 1024


class AnswerTooLarge(TooLarge):
    advice = "Ask for less at once."


class InternalFault(Broken):
    advice = "Look at the keeper's log; nothing was released."


class _Connection(Framed):
    """One peer. With a channel token its first frame must be that token, or the connection ends.

    A peer that asks faster than it is answered, or does not fetch its answers, is read from no longer until the rest
    is done: a front gone bad must not fill the memory of the one process that a quorum had to unseal.
    """

    def __init__(self, server: ChannelServer) -> None:
        super().__init__(self._frame, self._gone)
        self._server = server
        self._trusted = not server.token
        self._waiting = 0
        self._waiting_bytes = 0
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        sock: socket.socket = transport.get_extra_info("socket")
        peer = peer_of(sock)
        if peer.uid not in self._server.uids:
            log.warning("refused peer uid=%d pid=%d on %s", peer.uid, peer.pid, self._server.path.name)
            self.close()
            return
        if len(self._server.connections) >= MAX_CONNECTIONS:
            log.warning("refused pid=%d on %s: %d are connected", peer.pid, self._server.path.name, MAX_CONNECTIONS)
            self.close()
            return
        self._server.connections.add(self)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._pace()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._pace()

    def begin(self, size: int) -> None:
        """A call of so many bytes is under way."""
        self._waiting += 1
        self._waiting_bytes += size
        if self._waiting >= MAX_CALLS or self._waiting_bytes >= MAX_CALL_BYTES:
            self._pace()

    def end(self, size: int) -> None:
        self._waiting -= 1
        self._waiting_bytes -= size
        if self._paused:
            self._pace()

    def _pace(self) -> None:
        full = self._waiting >= MAX_CALLS or self._waiting_bytes >= MAX_CALL_BYTES or not self.is_drained
        if full != self._paused and self.is_open:
            self._paused = full
            if full:
                self.transport.pause_reading()
            else:
                self.transport.resume_reading()

    def _gone(self) -> None:
        self._server.connections.discard(self)

    def _frame(self, data: bytes) -> None:
        if not self._trusted:
            if not hmac.compare_digest(data, self._server.token):
                log.warning("refused a peer without the token of %s", self._server.path.name)
                self.close()
                return
            self._trusted = True
            return
        if self.is_open:
            self._server.answer(self, data)


class ChannelServer:
    """Listens on one Unix socket.

    Args:
        path: the socket, made with mode 0600 (0660 when other uids are allowed).
        call: type of a call; answer: makes an answer of an id and a reply.
        handle: answers one message; raises HsmpubError to refuse.
        uids: which peers may connect. token: their first frame, where uids cannot tell them apart.
    """

    def __init__(
        self,
        path: Path,
        call: type[Any],
        answer: Callable[[int, Any], Any],
        handle: Callable[[Any], Awaitable[Any]],
        *,
        uids: Collection[int],
        token: bytes = b"",
    ) -> None:
        self.path = path
        self.uids = frozenset(uids)
        self.token = token
        self.connections: set[_Connection] = set()
        self._decode = msgspec.msgpack.Decoder(call).decode
        self._encode = msgspec.msgpack.Encoder().encode
        self._wrap = answer
        self._handle = handle
        self._calls = 0
        #: those under way, by their number; each takes itself out (a callback would cost a turn of the loop)
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._server: asyncio.Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None  # to ask for it each time is a system call

    async def start(self) -> None:
        self.path.unlink(missing_ok=True)
        own = self.uids <= {os.getuid()}
        mask = os.umask(0o177 if own else 0o117)
        try:
            self._loop = asyncio.get_running_loop()
            self._server = await self._loop.create_unix_server(lambda: _Connection(self), str(self.path), backlog=256)
        finally:
            os.umask(mask)

    def answer(self, connection: _Connection, data: bytes) -> None:
        self._calls += 1
        connection.begin(len(data))
        assert self._loop is not None
        self._tasks[self._calls] = self._loop.create_task(self._answer(self._calls, connection, data))

    async def _answer(self, number: int, connection: _Connection, data: bytes) -> None:
        try:
            try:
                call = self._decode(data)
            except msgspec.MsgspecError:
                connection.close()  # no id to answer to: not one of ours
                return
            if not connection.is_drained:
                await connection.drained()  # nothing is worked out for a peer that does not fetch what it asked before
            if not connection.is_open:
                return
            try:
                reply = await self._handle(call.message)
            except HsmpubError as e:
                reply = Problem.of(e)
            except Exception:
                log.exception("a %s failed", type(call.message).__name__)
                reply = Problem.of(InternalFault("The keeper met an unexpected fault."))
            if connection.is_open:
                connection.send(self._answer_of(call.id, reply))
        except ConnectionError:
            return  # it was lost in this turn of the event loop
        finally:
            del self._tasks[number]
            connection.end(len(data))

    def _answer_of(self, call: int, reply: Any) -> bytes:
        answer = self._encode(self._wrap(call, reply))
        if len(answer) > MAX_FRAME_BYTES:
            answer = self._encode(self._wrap(call, Problem.of(AnswerTooLarge("The answer is too large to send."))))
        return answer

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.close()
        for task in list(self._tasks.values()):
            task.cancel()
        self.path.unlink(missing_ok=True)
