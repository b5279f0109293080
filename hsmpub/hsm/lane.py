"""One signer process as the keeper sees it: frames out, frames in, and the news of its end."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol, cast

import msgspec

from hsmpub.errors import Problem
from hsmpub.frames import cut_frames, pack_frame
from hsmpub.hsm.backlog import Piece, groups_of
from hsmpub.hsm.child import Child
from hsmpub.hsm.choice import FRAMES_IN_FLIGHT
from hsmpub.hsm.config import HsmConfig
from hsmpub.hsm.messages import Group, Ready, Serve, Work, WorkDone
from hsmpub.hsm.rules import SignerLost, as_rule
from hsmpub.hsm.signer import SIGNING_PROCESS
from hsmpub.secret.page import SecretPage

_READY: msgspec.msgpack.Decoder[Ready | Problem] = msgspec.msgpack.Decoder(Ready | Problem)
_DONE: msgspec.msgpack.Decoder[WorkDone] = msgspec.msgpack.Decoder(WorkDone)

Groups = list[tuple[Group, list[Piece]]]


class LaneOwner(Protocol):
    """Who is told what a lane's signer answered, and that it is gone."""

    def lane_answered(self, lane: Lane, groups: Groups, done: WorkDone) -> None: ...

    def lane_ended(self, lane: Lane) -> None: ...


class Lane(asyncio.Protocol):
    """A running signer. `ready` is its first answer; after that it takes work.

    Attributes:
        generation: which start of a signer this is; handles never outlive it.
        since: loop time at which the oldest unanswered frame was sent, or 0.
    """

    def __init__(self, owner: LaneOwner, hsm: HsmConfig, order: Serve, pin: SecretPage, generation: int) -> None:
        self.generation = generation
        self.since = 0.0
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[Ready | Problem] = self._loop.create_future()
        self._unanswered: deque[Groups] = deque()
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._on_frame: Callable[[bytes], None] = self._first
        self._child = Child(SIGNING_PROCESS, hsm, order, [pin], follows=generation > 1)
        self.born = self._loop.time()

    @property
    def pid(self) -> int:
        return self._child.process.pid

    async def start(self, timeout: float) -> Ready:
        """Waits for the login.

        Raises:
            TokenGone, PinRefused, HsmFailed, SignerLost; the signer is dead then.
        """
        try:
            await self._loop.create_unix_connection(lambda: self, sock=self._child.detach())
            async with asyncio.timeout(timeout):
                answer = await self._ready
        except TimeoutError as error:
            self.stop()
            raise SignerLost("A signer did not log in in time.") from error
        except BaseException:
            self.stop()
            raise
        if isinstance(answer, Problem):
            self.stop()
            raise as_rule(answer)
        return answer

    @property
    def free(self) -> int:
        """How many more frames it takes now."""
        return FRAMES_IN_FLIGHT - len(self._unanswered)

    def send(self, pieces: Sequence[Piece]) -> None:
        groups = groups_of(pieces)
        if not self._unanswered:
            self.since = self._loop.time()
        self._unanswered.append(groups)
        if self._transport is not None:
            self._transport.write(pack_frame(Work([group for group, _ in groups])))

    def stop(self) -> list[Groups]:
        """Kills the signer now and returns what it had not answered. Harmless when it is dead already."""
        unanswered = list(self._unanswered)
        self._unanswered.clear()
        self.since = 0.0
        if not self._ready.done():
            self._ready.set_exception(SignerLost("A signer was stopped before it had logged in."))
            self._ready.exception()  # whoever waits hears of it; if nobody does, that is no news
        if self._transport is not None:
            self._transport.abort()
            self._transport = None
        self._child.kill()
        return unanswered

    # --- asyncio.Protocol ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no subclass of it

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        for frame in cut_frames(self._buffer):
            self._on_frame(frame)

    def connection_lost(self, error: Exception | None) -> None:
        if not self._ready.done():
            self.stop()
        elif self._transport is not None:
            self._owner.lane_ended(self)

    def _first(self, frame: bytes) -> None:
        self._on_frame = self._next
        if not self._ready.done():
            self._ready.set_result(_READY.decode(frame))

    def _next(self, frame: bytes) -> None:
        done = _DONE.decode(frame)
        groups = self._unanswered.popleft()
        self.since = self._loop.time() if self._unanswered else 0.0
        self._owner.lane_answered(self, groups, done)
