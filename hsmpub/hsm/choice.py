"""Which signer takes what waits, and whether one should.

Work that is spread thin wakes two processes where one would do, and small frames cost every stage more: with single
calls of 64 clients one busy signer makes 1.09 times as many signatures as two that are woken for a few each. So a
signer that rests is woken for a full frame, or when no other is at work; less than that travels with what comes next.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from hsmpub.hsm.backlog import FRAME_COST

#: Frames that a signer has at once: one in hand and one waiting, so that it never waits for the keeper.
FRAMES_IN_FLIGHT = 2
#: What has to wait before a signer that is at work gets a second frame.
SECOND_FRAME_COST = FRAME_COST // 4
#: Seconds after which a signer that has not answered is not waited for any more: it hangs, or makes RSA signatures.
PATIENCE = 0.003


class Taker(Protocol):
    """What is asked of a signer. free: frames that it takes now; since: when its oldest unanswered frame was sent."""

    @property
    def free(self) -> int: ...

    @property
    def since(self) -> float: ...


_T = TypeVar("_T", bound=Taker)


def choose(takers: Sequence[_T], cost: int, now: float) -> _T | None:
    """Who takes of the backlog, which costs so much; None: it waits, for more or for an answer.

    now: the event loop's time, seconds.
    """
    resting = working = None
    is_awaited = False
    for one in takers:
        free = one.free
        if free == FRAMES_IN_FLIGHT:
            resting = resting or one
        elif free > 0:
            working = working or one
        if free < FRAMES_IN_FLIGHT and now - one.since < PATIENCE:
            is_awaited = True
    if resting is not None and (cost >= FRAME_COST or not is_awaited):
        return resting
    return working if cost >= SECOND_FRAME_COST else None
