"""The front's side of its channel to the keeper: one connection, many calls at once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from hsmpub.errors import Problem, Unavailable
from hsmpub.wire import messages as m
from hsmpub.wire.frame import Framed


class KeeperUnreachable(Unavailable):
    advice = "See on the host whether the keeper runs; then send it again."


def _give_up(future: asyncio.Future[Any]) -> None:
    if not future.done():
        future.set_exception(TimeoutError())


class FrontChannel:
    """One connection to the keeper, made when first needed and made anew when it broke. path: the channel's socket."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(m.FrontAnswer).decode
        self._wire: Framed | None = None
        self._waiting: dict[int, asyncio.Future[m.FrontReply | Problem]] = {}
        self._next = 0
        self._connecting = asyncio.Lock()

    async def call(self, message: m.FrontMessage, *, timeout: float = 60.0) -> m.FrontReply:
        """Sends one message and waits for its answer.

        Raises:
            Refused: the keeper's own refusal, unchanged.
            KeeperUnreachable: no keeper, or it went away before it answered; the outcome may be unknown.
        """
        wire = self._wire if self._wire is not None and self._wire.is_open else await self._connect()
        self._next += 1
        number = self._next
        future: asyncio.Future[m.FrontReply | Problem] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        late = future.get_loop().call_later(timeout, _give_up, future)  # a fraction of what asyncio.wait_for costs
        try:
            wire.send(self._encode(m.FrontCall(number, message)))
            await wire.drained()
            reply = await future
        except (ConnectionError, TimeoutError) as e:
            raise KeeperUnreachable("The keeper did not answer.") from e
        finally:
            late.cancel()
            self._waiting.pop(number, None)
        if isinstance(reply, Problem):
            raise reply.as_error()
        return reply

    async def _connect(self) -> Framed:
        async with self._connecting:
            if self._wire is not None and self._wire.is_open:
                return self._wire
            wire = Framed(self._answered, self._lost)
            try:
                await asyncio.get_running_loop().create_unix_connection(lambda: wire, str(self._path))
            except OSError as e:
                raise KeeperUnreachable("The keeper's socket does not answer.") from e
            self._wire = wire
            return wire

    def _answered(self, data: bytes) -> None:
        answer = self._decode(data)
        future = self._waiting.get(answer.id)
        if future is not None and not future.done():
            future.set_result(answer.reply)

    def _lost(self) -> None:
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(ConnectionError("the keeper closed the connection"))

    def close(self) -> None:
        if self._wire is not None:
            self._wire.close()
            self._wire = None
