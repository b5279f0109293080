"""May a timestamp say what the clock shows? Refused while the kernel knows it unsynchronised, and when it goes back.

    kernel    synchronised, and its own bound on the error within the accuracy that is promised (policy: clock)
    steps     not moved against the clock of elapsed time for a minute: somebody may be setting it
    the log   not before the last timestamp, nor before what else the log says is past

Source: adjtimex(2); RFC 5905 (maximum error).
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable
from typing import ClassVar, NamedTuple

from hsmpub.errors import Unavailable
from hsmpub.formats.cms.timestamp_query import NO_TIME
from hsmpub.policy.model import Timestamping

_SECOND = 1_000_000
_TIME_ERROR, _STA_UNSYNC = 5, 0x0040
#: A clock is set, not steered, when it moves faster than this against elapsed time, beyond `_JITTER` seconds.
_STEER, _JITTER = 0.001, 0.5
STEADY_SECONDS = 60
#: Timestamps in one order differ by at least a microsecond; so many may be ahead of the clock.
_MOST_AHEAD = 1000


class TimeNotAvailable(Unavailable):
    """Family of why the clock cannot be vouched for now. failure: the bit of PKIFailureInfo."""

    failure: ClassVar[int] = NO_TIME
    advice = "Look at this machine's time service, such as chrony; timestamps go on by themselves."


class ClockUnknown(TimeNotAvailable):
    advice = 'Let the keeper ask the kernel (adjtimex), or have the policy say clock = "trusted".'


class ClockUnsynchronised(TimeNotAvailable):
    pass


class ClockInaccurate(TimeNotAvailable):
    advice = "Have the time service ask more often or better servers, or have the policy promise less accuracy."


class ClockStepped(TimeNotAvailable):
    advice = "Wait a minute; if it comes again, find out who sets this machine's clock."


class ClockWentBack(TimeNotAvailable):
    advice = "Set the clock right; if it was right now and wrong before, make a new key for timestamps."


class KernelClock(NamedTuple):
    """synchronised: None where the kernel does not tell; max_error: microseconds; why: it does not tell."""

    synchronised: bool | None
    max_error: int = 0
    why: str = ""


class _Timex(ctypes.Structure):
    """struct timex up to `status`; the rest is room."""

    _fields_ = (
        ("modes", ctypes.c_uint), ("offset", ctypes.c_long), ("freq", ctypes.c_long), ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long), ("status", ctypes.c_int), ("rest", ctypes.c_byte * 256),
    )  # fmt: skip


def kernel_clock() -> KernelClock:
    """What the kernel knows; nothing is set."""
    asked = _Timex()
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(asked))
    except AttributeError:
        return KernelClock(None, why="this system has no adjtimex")
    if state < 0:
        return KernelClock(None, why=os.strerror(ctypes.get_errno()))
    return KernelClock(state != _TIME_ERROR and not asked.status & _STA_UNSYNC, asked.maxerror)


def elapsed() -> float:
    """Seconds since the start of the machine, sleep included; nobody sets it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class TimeGuard:
    """Gives out times for timestamps. wall: seconds since 1970."""

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        *,
        kernel: Callable[[], KernelClock] = kernel_clock,
        ticks: Callable[[], float] = elapsed,
    ) -> None:
        self._wall = wall
        self._kernel = kernel
        self._ticks = ticks
        self._seen = wall(), ticks()
        self._stepped: float | None = None

    def look(self, rules: Timestamping) -> int:
        """The time now, in microseconds since 1970.

        Raises:
            ClockUnknown, ClockUnsynchronised, ClockInaccurate, ClockStepped.
        """
        wall, ticks = self.see()
        if rules.clock == "kernel":
            self._check_kernel(rules)
        if self._stepped is not None and ticks - self._stepped < STEADY_SECONDS:
            raise ClockStepped("This machine's clock was set a moment ago.")
        return int(wall * _SECOND)

    def see(self) -> tuple[float, float]:
        """Both clocks, after a look at whether the one was set since the last look."""
        wall, ticks = self._wall(), self._ticks()
        then, ticked = self._seen
        self._seen = wall, ticks
        if abs((wall - then) - (ticks - ticked)) > _JITTER + _STEER * (ticks - ticked):
            self._stepped = ticks
        return wall, ticks

    def next(self, rules: Timestamping, last: int, past: int) -> int:
        """The time for a timestamp. last: of the last one, microseconds; past: of the log's last entry, seconds.

        Raises:
            As `look`; ClockWentBack.
        """
        now = self.look(rules)
        if now < past * _SECOND:
            raise ClockWentBack("This machine's clock is behind what the log says is past.")
        if not rules.ordering:
            now -= now % _SECOND
        elif 0 <= last - now < _MOST_AHEAD:
            now = last + 1
        if now < last:
            raise ClockWentBack("This machine's clock is behind the last timestamp.")
        return now

    def _check_kernel(self, rules: Timestamping) -> None:
        found = self._kernel()
        if found.synchronised is None:
            raise ClockUnknown(f"Nobody knows whether this machine's clock is synchronised: {found.why}.")
        if not found.synchronised:
            raise ClockUnsynchronised("The kernel says that this machine's clock is not synchronised.")
        cut = 0 if rules.ordering else _SECOND
        if found.max_error + cut > rules.accuracy * _SECOND:
            raise ClockInaccurate(
                f"The kernel knows the time to {found.max_error / _SECOND:.3f} seconds only, too little for the"
                f" {rules.accuracy} that timestamps promise."
            )
