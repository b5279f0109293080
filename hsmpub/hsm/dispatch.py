"""Between requests and signers: cuts, hands out, collects, and tries once more what a dying signer left.

1. A request that fills no frame waits in the backlog until the current turn of the event loop ends, so that requests
   that came together travel together.
2. Each signer has at most two frames at once. Whom less than a frame goes to, and when, is `hsmpub.hsm.choice`'s: what
   comes while signers are at work waits a little and travels together. Every signature in an answer was verified by
   the signer.
3. What a dead signer had in hand goes once to another; what only waited in its channel is not blamed.
4. While no signer can start, requests fail at once with the reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from hsmpub.errors import HsmpubError, Problem, again
from hsmpub.hsm.backlog import FRAME_COST, Backlog, Piece, Request
from hsmpub.hsm.choice import FRAMES_IN_FLIGHT, PATIENCE, choose
from hsmpub.hsm.config import HsmConfig
from hsmpub.hsm.crew import Crew
from hsmpub.hsm.lane import Groups, Lane
from hsmpub.hsm.messages import Made, Serve, WorkDone
from hsmpub.hsm.rules import HsmFailed, SignatureNotVerified, SignerLost, SignersClosed, TokenGone, as_rule
from hsmpub.secret.page import SecretPage

_ATTEMPTS = 2
#: A signer answers all of a group or says what is wrong; anything else is blamed, so that nothing goes round for ever.
_OUT_OF_TURN = Problem.of(SignerLost("A signer answered out of turn."))


class Dispatch:
    """The owner of the crew.

    Args:
        alarm: called with a sentence when the keeper has to seal.
    """

    def __init__(
        self, hsm: HsmConfig, order: Serve, pin: SecretPage, workers: int, alarm: Callable[[str], None]
    ) -> None:
        self.crew = Crew(self, hsm, order, pin, workers)
        self._alarm = alarm
        self._backlog = Backlog()
        self._scheduled = False
        self._looking = False
        self._closed = False
        self._loop = asyncio.get_running_loop()

    def alarm(self, detail: str) -> None:
        self._alarm(detail)

    def close(self) -> None:
        """Kills the crew, fails everything that waits, and takes no more."""
        self._closed = True
        closed = SignersClosed("The signers were closed.")
        for groups in self.crew.close():
            for piece in _pieces(groups):
                piece.request.fail(again(closed))
        self._backlog.fail_all(closed)

    def run(self, key: str, hash_name: str, items: Sequence[bytes], cost: int) -> asyncio.Future[list[bytes]]:
        """Gives items to the signers, of which each costs so much; their signatures, or why there are none."""
        if self._closed:
            raise SignersClosed("The signers are closed.")
        if self.crew.trouble is not None and not self.crew.lanes:
            raise again(self.crew.trouble)
        # asking for the running loop would be a system call
        request = Request(key, hash_name, items, cost, self._loop.create_future())
        self._backlog.add(request)
        if request.left * request.cost >= FRAME_COST:  # company would not make its frames any fuller
            self._dispatch()
        elif not self._scheduled:
            self._dispatch_soon()
        return request.future

    def _dispatch_soon(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._dispatch)

    def _dispatch(self) -> None:
        self._scheduled = False
        backlog, lanes = self._backlog, self.crew.lanes
        while backlog.cost:
            lane = choose(lanes, backlog.cost, self._loop.time())
            if lane is None:
                if _resting(lanes):
                    self._look_again_soon()
                return
            budget = FRAME_COST
            if len(backlog) == 1:  # nobody else waits, so it is divided, and done sooner
                budget = min(budget, -(-backlog.cost // (_resting(lanes) or 1)))
            pieces = backlog.take(budget)
            if pieces:
                lane.send(pieces)

    def _look_again_soon(self) -> None:
        """Who is awaited may not answer."""
        if not self._looking:
            self._looking = True
            self._loop.call_later(PATIENCE, self._look_again)

    def _look_again(self) -> None:
        self._looking = False
        self._dispatch()

    # --- what the crew reports ---

    def answered(self, groups: Groups, done: WorkDone) -> None:
        for place, (_, pieces) in enumerate(groups):
            made = done.made[place] if place < len(done.made) else Made([], None if done.leaving else _OUT_OF_TURN)
            self._settle(pieces, made)
        if self._backlog and not done.leaving:
            self._dispatch()

    def lost(self, unanswered: Sequence[Groups], *, guilty: bool) -> None:
        """What a signer had in hand when it ended is tried once more; what only waited in its channel is not blamed."""
        error = SignerLost("A signer ended with the request in hand.")
        for place, groups in reversed(list(enumerate(unanswered))):
            for piece in reversed(_pieces(groups)):
                if guilty and place == 0:
                    self._blame(piece, again(error))
                else:
                    self._backlog.put_back(piece)

    def changed(self) -> None:
        if self.crew.trouble is not None and not self.crew.lanes:
            self._backlog.fail_all(self.crew.trouble)
        self._dispatch_soon()

    def _settle(self, pieces: Sequence[Piece], made: Made) -> None:
        """Hands out what a group came to; the first piece left over bears the problem, later ones do not."""
        signatures, problem = made.signatures, made.problem
        if signatures and problem is None:
            problem = _OUT_OF_TURN  # blamed only if signatures are missing
        used = 0
        for piece in pieces:
            count = piece.stop - piece.start
            got = signatures[used : used + count]
            used += count
            piece.request.keep(piece.start, got)
            if len(got) == count:
                continue
            piece.start += len(got)
            if problem is not None:
                self._blame(piece, as_rule(problem))
                problem = None
            else:
                self._backlog.put_back(piece)

    def _blame(self, piece: Piece, error: HsmpubError) -> None:
        if isinstance(error, TokenGone | HsmFailed):
            self.crew.trouble = error
        piece.failures += 1
        if isinstance(error, SignatureNotVerified):
            piece.wrong = error
        passing = isinstance(error, TokenGone | HsmFailed | SignatureNotVerified | SignerLost)
        if passing and piece.failures < _ATTEMPTS:
            self._backlog.put_back(piece)
            return
        if piece.wrong is not None:  # worse news than how the second attempt ended
            error = piece.wrong
            self.alarm(f"{error.detail} Key: {piece.request.key}.")
        piece.request.fail(error)


def _resting(lanes: Sequence[Lane]) -> int:
    return [lane.free for lane in lanes].count(FRAMES_IN_FLIGHT)


def _pieces(groups: Groups) -> list[Piece]:
    return [piece for _, members in groups for piece in members]
