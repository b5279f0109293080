"""How long the courier waits, and how often it tries. All times in seconds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Patience:
    """Defaults for registries on the internet.

    Attributes:
        timeout: one network operation of a child; lifetime: one request, apart from the time for its size.
        slowest: bytes a second below which an upload is given up.
        reads: how often a target is read after an upload before its silence counts; the first at once, then after
            `settle`, doubling up to `settle_most`.
        tries: attempts of one round; between them `pause`, doubling up to `pause_most`.
        rest: before the next round of a job that was given up; doubling up to `rest_most`.
        poll: between two questions to the keeper for jobs; refresh: before an issuer's keys are fetched again.
    """

    timeout: float = 20.0
    lifetime: float = 60.0
    slowest: float = 64 * 1024
    reads: int = 9
    settle: float = 0.25
    settle_most: float = 15.0
    tries: int = 6
    pause: float = 1.0
    pause_most: float = 60.0
    rest: float = 60.0
    rest_most: float = 3600.0
    poll: float = 0.25
    refresh: float = 300.0

    def waits_between_reads(self) -> Iterator[float]:
        """Waits before each read: none, then longer and longer; `reads` of them."""
        yield 0.0
        for number in range(self.reads - 1):
            yield min(self.settle * 2**number, self.settle_most)

    def pause_after(self, turn: int) -> float:
        """Wait after try number `turn` (from 0)."""
        return min(self.pause * 2.0**turn, self.pause_most)

    def rest_after(self, round_: int) -> float:
        """Wait after round number `round_` (from 1)."""
        return min(self.rest * 2.0 ** min(round_ - 1, 30), self.rest_most)

    def request_time(self, size: int) -> float:
        """Lifetime of a request that carries `size` bytes."""
        return self.lifetime + size / self.slowest

    def child_time(self, size: int) -> float:
        """When a child is ended: it makes at most four requests, one of them with the bytes."""
        return 3 * self.lifetime + self.request_time(size) + 10.0
