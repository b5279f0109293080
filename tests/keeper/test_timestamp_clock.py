"""The clock of timestamps: it never goes back, and nobody vouches for one that is set or not synchronised."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsmpub.keeper.clock import (
    STEADY_SECONDS,
    ClockInaccurate,
    ClockStepped,
    ClockUnknown,
    ClockUnsynchronised,
    ClockWentBack,
    KernelClock,
    TimeGuard,
    TimeNotAvailable,
    kernel_clock,
)
from hsmpub.policy.model import Timestamping

SECOND = 1_000_000
GOOD = KernelClock(True, 20_000)


def rules(**changes: object) -> Timestamping:
    said = {"key": "time", "policy": "1.2.3", "anybody": True, **changes}
    return Timestamping.model_validate(said)


class Machine:
    """Two clocks: the one that people set, and the one that runs since the start."""

    def __init__(self) -> None:
        self.wall, self.ticks, self.kernel = 1_790_000_000.25, 100.0, GOOD
        self.guard = TimeGuard(lambda: self.wall, kernel=lambda: self.kernel, ticks=lambda: self.ticks)

    def run(self, seconds: float) -> None:
        self.wall += seconds
        self.ticks += seconds


def test_the_kernel_of_this_machine_answers_or_says_why_not() -> None:
    found = kernel_clock()
    assert found.synchronised is not None or found.why


@pytest.mark.parametrize(
    ("kernel", "refused"),
    [
        (KernelClock(False, 1), ClockUnsynchronised),
        (KernelClock(None, why="no"), ClockUnknown),
        (KernelClock(True, 1_000_001), ClockInaccurate),
    ],
)
def test_a_clock_that_the_kernel_does_not_vouch_for_is_refused_unless_the_policy_trusts_it(
    kernel: KernelClock, refused: type[TimeNotAvailable]
) -> None:
    machine = Machine()
    machine.kernel = kernel
    with pytest.raises(refused):
        machine.guard.next(rules(), 0, 0)
    assert machine.guard.next(rules(clock="trusted"), 0, 0) == 1_790_000_000 * SECOND


def test_whole_seconds_leave_a_second_less_to_the_clocks_error() -> None:
    machine = Machine()
    machine.kernel = KernelClock(True, 1_500_000)
    assert machine.guard.next(rules(ordering=True), 0, 0) % SECOND == 250_000
    with pytest.raises(ClockInaccurate):
        machine.guard.next(rules(), 0, 0)


@pytest.mark.parametrize("step", [-3600.0, -2.0, 2.0, 86_400.0])
def test_after_the_clock_was_set_nothing_is_stamped_for_a_minute(step: float) -> None:
    machine = Machine()
    machine.guard.look(rules())
    machine.wall += step
    with pytest.raises(ClockStepped):
        machine.guard.look(rules())
    machine.run(STEADY_SECONDS - 1)
    with pytest.raises(ClockStepped):
        machine.guard.look(rules())
    machine.run(1)
    assert machine.guard.look(rules())


def test_a_clock_that_is_steered_is_taken() -> None:
    machine = Machine()
    for _ in range(1000):
        machine.run(5)
        machine.wall += 0.0025  # 500 parts in a million, as fast as NTP steers
        machine.guard.look(rules())


def test_no_time_before_the_last_timestamp_or_the_logs_past() -> None:
    machine = Machine()
    now = 1_790_000_000
    for last, past in (((now + 1) * SECOND, 0), (0, now + 1), ((now + 1) * SECOND, now + 1)):
        with pytest.raises(ClockWentBack):
            machine.guard.next(rules(), last, past)
    assert machine.guard.next(rules(), now * SECOND, now) == now * SECOND


@given(st.lists(st.floats(0, 0.01), max_size=40))
def test_ordered_times_grow_however_fast_they_are_asked_for(pauses: list[float]) -> None:
    machine, last, found = Machine(), 0, []
    for pause in pauses:
        machine.run(pause)
        last = machine.guard.next(rules(ordering=True), last, 0)
        found.append(last)
        assert last - machine.wall * SECOND < 1000
    assert found == sorted(set(found))
