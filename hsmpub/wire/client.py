"""The front's side of its channel to the keeper: one connection, many calls at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from hsmpub.errors import HsmpubError, Problem, Unavailable
from hsmpub.wire import messages as m
from hsmpub.wire.frame import Framed

#: Called once, with the keeper's reply or with why there is none.
Answered = Callable[[m.FrontReply | HsmpubError], None]
CALL_SECONDS = 60.0
#: How often is looked for calls that nobody answered: a timer for each would cost more than the call itself.
_LOOK_SECONDS = 1.0


class KeeperUnreachable(Unavailable):
    advice = "See on the host whether the keeper runs; then send it again."


class FrontChannel:
    """One connection to the keeper, made when first needed and made anew when it broke. path: the channel's socket."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(m.FrontAnswer).decode
        self._wire: Framed | None = None
        self._waiting: dict[int, tuple[float, Answered]] = {}
        self._next = 0
        self._connecting = asyncio.Lock()
        self._look: asyncio.TimerHandle | None = None

    @property
    def is_ready(self) -> bool:
        """Whether `post` can send: it is connected, and the keeper takes what it is sent."""
        wire = self._wire
        return wire is not None and wire.is_drained and wire.is_open

    def post(self, message: m.FrontMessage, answered: Answered, *, timeout: float = CALL_SECONDS) -> int:
        """Sends one message at once; `answered` is told what came of it, never before this returns.

        timeout: seconds, to the next second.

        Returns:
            The number of the call.

        Raises:
            KeeperUnreachable: there is no connection; nothing was sent.
        """
        number = self._next = self._next + 1
        try:
            if self._wire is None:
                raise ConnectionError
            self._wire.send(self._encode(m.FrontCall(number, message)))
        except ConnectionError as e:
            raise KeeperUnreachable("The keeper did not answer.") from e
        self._waiting[number] = time.monotonic() + timeout, answered
        if self._look is None:
            self._look_again()
        return number

    async def call(self, message: m.FrontMessage, *, timeout: float = CALL_SECONDS) -> m.FrontReply:
        """Sends one message and waits for its answer.

        Raises:
            Refused: the keeper's own refusal, unchanged.
            KeeperUnreachable: no keeper, or it went away before it answered; the outcome may be unknown.
        """
        wire = self._wire if self._wire is not None and self._wire.is_open else await self._connect()
        future: asyncio.Future[m.FrontReply] = asyncio.get_running_loop().create_future()

        def answered(reply: m.FrontReply | HsmpubError) -> None:
            if future.done():
                return
            if isinstance(reply, HsmpubError):
                future.set_exception(reply)
            else:
                future.set_result(reply)

        number = self.post(message, answered, timeout=timeout)
        try:
            await wire.drained()
            return await future
        finally:
            self._waiting.pop(number, None)

    async def _connect(self) -> Framed:
        async with self._connecting:
            if self._wire is not None and self._wire.is_open:
                return self._wire
            self._lost(self._wire)  # what was asked there is answered by nobody now
            wire = Framed(self._answered, lambda: self._lost(wire))
            try:
                await asyncio.get_running_loop().create_unix_connection(lambda: wire, str(self._path))
            except OSError as e:
                raise KeeperUnreachable("The keeper's socket does not answer.") from e
            self._wire = wire
            return wire

    def _answered(self, data: bytes) -> None:
        answer = self._decode(data)
        waiting = self._waiting.pop(answer.id, None)
        if waiting is not None:
            waiting[1](answer.reply.as_error() if isinstance(answer.reply, Problem) else answer.reply)

    def _give_up_late_ones(self) -> None:
        now, self._look = time.monotonic(), None
        self._fail([number for number, (until, _) in self._waiting.items() if until <= now])
        if self._waiting:
            self._look_again()

    def _look_again(self) -> None:
        """Asks for the loop only here: with Python 3.11 each such question is a system call."""
        self._look = asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._give_up_late_ones)

    def _lost(self, wire: Framed | None) -> None:
        if wire is self._wire:
            self._fail(list(self._waiting))

    def _fail(self, numbers: list[int]) -> None:
        for number in numbers:
            _, answered = self._waiting.pop(number)
            answered(KeeperUnreachable("The keeper did not answer."))

    def close(self) -> None:
        if self._wire is not None:
            self._wire.close()
            self._wire = None
        if self._look is not None:
            self._look.cancel()
            self._look = None
