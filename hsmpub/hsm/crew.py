"""The signer processes themselves: started, watched, replaced, killed. What they sign is the pool's business.

- One that dies is replaced; one that hangs in the module is killed and replaced.
- None can start: one attempt after another goes on behind, one at a time in the whole crew.
- The token refuses the PIN: no second attempt, ever, for a real HSM would lock itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Protocol

from hsmpub.errors import HsmpubError
from hsmpub.hsm.config import HsmConfig
from hsmpub.hsm.lane import Groups, Lane
from hsmpub.hsm.messages import Serve, WorkDone
from hsmpub.hsm.rules import PinRefused, SessionsExhausted, SignersClosed
from hsmpub.secret.page import SecretPage

_START_SECONDS = 30.0
_SILENT_SECONDS = 30.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0


class CrewOwner(Protocol):
    """Who gives the crew work and is told what became of it."""

    def answered(self, groups: Groups, done: WorkDone) -> None:
        """A signer answered a frame."""

    def lost(self, unanswered: Sequence[Groups], *, guilty: bool) -> None:
        """A signer is gone. guilty: the first frame may be the reason."""

    def changed(self) -> None:
        """A signer is ready for work, or none is and `trouble` says why."""

    def alarm(self, detail: str) -> None:
        """The keeper has to seal."""


class Crew:
    """Signer processes, kept at their number.

    Attributes:
        lanes: those that are logged in.
        trouble: why none can work, while that is so; a crew that only waits for a fresh process has none.
        generation: how many were started so far.
        protections: what their sandbox could do, name → "on" or why not.
        fewer: why there are fewer than were asked for; empty: there are not.
    """

    def __init__(self, owner: CrewOwner, hsm: HsmConfig, order: Serve, pin: SecretPage, workers: int) -> None:
        self.lanes: list[Lane] = []
        self.trouble: HsmpubError | None = None
        self.generation = 0
        self.protections: dict[str, str] = {}
        self.fewer = ""
        self._owner = owner
        self._hsm = hsm
        self._order = order
        self._pin = pin
        self._workers = workers
        self._starting: set[Lane] = set()
        self._closed = False
        self._whole = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()

    async def start(self) -> None:
        """Starts all and returns when all have logged in; one alone first, so that a wrong PIN is tried once.

        A token with few sessions gets fewer signers than were asked for.
        """
        await self._start_one()
        outcomes = await asyncio.gather(*(self._start_one() for _ in range(self._workers - 1)), return_exceptions=True)
        failed = [outcome for outcome in outcomes if outcome is not None]
        for error in failed:
            if not isinstance(error, SessionsExhausted):
                raise error
        if failed:
            self._be_fewer()
        self._behind(self._watch())

    def _be_fewer(self) -> None:
        """As many signers as the token has sessions for, less one where there is more than one: vaults need it."""
        if len(self.lanes) > 1:
            self.lanes.pop().stop()
        self.fewer = f"the token has sessions for {len(self.lanes)} of {self._workers} signers"
        self._workers = len(self.lanes)
        self._whole.set()

    async def whole(self) -> None:
        """Returns when all are logged in, or the crew is closed."""
        await self._whole.wait()

    def close(self) -> list[Groups]:
        """Kills everything now; returns what was not answered."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        unanswered = [groups for lane in [*self.lanes, *self._starting] for groups in lane.stop()]
        self.lanes.clear()
        self._whole.set()
        return unanswered

    # --- what lanes report ---

    def lane_answered(self, lane: Lane, groups: Groups, done: WorkDone) -> None:
        self._owner.answered(groups, done)
        if done.leaving:
            self._replace(lane, guilty=False)

    def lane_ended(self, lane: Lane) -> None:
        self._replace(lane, guilty=True)

    def _replace(self, lane: Lane, *, guilty: bool) -> None:
        if self._closed or lane not in self.lanes:
            return
        self.lanes.remove(lane)
        self._whole.clear()
        self._owner.lost(lane.stop(), guilty=guilty)
        self._behind(self._revive(lane.born))
        self._owner.changed()

    # --- starting ---

    async def _start_one(self) -> None:
        self.generation += 1
        lane = Lane(self, self._hsm, self._order, self._pin, self.generation)
        self._starting.add(lane)
        try:
            ready = await lane.start(_START_SECONDS)
        finally:
            self._starting.discard(lane)
        if self._closed:
            lane.stop()
            raise SignersClosed("The signers were closed while one started.")
        self.protections = ready.protections
        self.trouble = None
        self.lanes.append(lane)
        if len(self.lanes) >= self._workers:
            self._whole.set()
        self._owner.changed()

    async def _revive(self, born: float) -> None:
        """Starts one in the place of one that ended."""
        pause = _FIRST_PAUSE
        async with self._one_at_a_time:
            if self._loop.time() - born < _LONGEST_PAUSE:
                await asyncio.sleep(pause)  # one that dies at once must not keep a core busy
            while not self._closed:
                try:
                    await self._start_one()
                    return
                except HsmpubError as error:
                    self.trouble = error
                    self._owner.changed()
                    if isinstance(error, PinRefused):
                        self._owner.alarm(error.detail)
                        return
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)

    async def _watch(self) -> None:
        """Ends signers that hang in the module."""
        while True:
            await asyncio.sleep(_SILENT_SECONDS / 4)
            for lane in list(self.lanes):
                if lane.since and self._loop.time() - lane.since > _SILENT_SECONDS:
                    self._replace(lane, guilty=True)

    def _behind(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
