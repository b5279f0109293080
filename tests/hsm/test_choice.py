"""Which signer takes what waits: few are woken, none is waited for in vain."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from hsmpub.hsm.backlog import FRAME_COST
from hsmpub.hsm.choice import FRAMES_IN_FLIGHT, PATIENCE, SECOND_FRAME_COST, choose

NOW = 1000.0
SMALL = SECOND_FRAME_COST - 1


@dataclass(eq=False)
class Signer:
    free: int = FRAMES_IN_FLIGHT
    since: float = 0.0


def working(free: int = 1, seconds: float = 0.0) -> Signer:
    return Signer(free, NOW - seconds)


def test_when_all_rest_the_first_takes_whatever_there_is() -> None:
    first, second = Signer(), Signer()
    for cost in (1, FRAME_COST, 10 * FRAME_COST):
        assert choose([first, second], cost, NOW) is first


def test_little_waits_for_who_is_at_work_and_wakes_nobody() -> None:
    assert choose([working(), Signer()], SMALL, NOW) is None
    assert choose([working(free=0), Signer()], FRAME_COST - 1, NOW) is None


def test_more_is_the_second_frame_of_who_is_at_work() -> None:
    busy, resting = working(), Signer()
    for takers in ([busy, resting], [resting, busy]):
        assert choose(takers, SECOND_FRAME_COST, NOW) is busy


def test_a_full_frame_wakes_who_rests() -> None:
    busy, resting = working(), Signer()
    for takers in ([busy, resting], [resting, busy]):
        assert choose(takers, FRAME_COST, NOW) is resting


def test_who_does_not_answer_is_not_waited_for() -> None:
    resting = Signer()
    for free in (0, 1):
        assert choose([working(free, seconds=PATIENCE * 1.01), resting], 1, NOW) is resting
        assert choose([working(free, seconds=PATIENCE * 0.99), resting], 1, NOW) is None


signers = st.lists(st.builds(working, st.integers(0, FRAMES_IN_FLIGHT), st.floats(0, 1)), max_size=5)


@given(signers, st.integers(1, 100))
def test_nobody_takes_more_than_it_may_and_nothing_waits_without_a_reason(takers: list[Signer], cost: int) -> None:
    taker = choose(takers, cost, NOW)
    if taker is not None:
        assert taker.free > 0
        assert taker.free == FRAMES_IN_FLIGHT or cost >= SECOND_FRAME_COST
        return
    resting = [one for one in takers if one.free == FRAMES_IN_FLIGHT]
    free = [one for one in takers if one.free]
    if resting:  # there is somebody whose answer comes, or who is looked at again
        assert any(one.free < FRAMES_IN_FLIGHT and NOW - one.since < PATIENCE for one in takers)
    else:
        assert not free or cost < SECOND_FRAME_COST
