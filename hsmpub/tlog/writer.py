"""The seam between the log and whoever commits: whatever waits is committed together, and only then told of.

A thread commits for ceremonies and tests, a process of its own for the keeper.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from hsmpub.errors import HsmpubError
from hsmpub.tlog.committer import Checkpoint, Held
from hsmpub.tlog.head import HeadFile
from hsmpub.tlog.rules import WriterBroken

MAX_COMMIT_ENTRIES = 4096
MAX_COMMIT_BYTES = 16 * 1024 * 1024
#: An order to a process, as a frame: more than the keeper ever has for one.
MAX_ORDER_BYTES = 1 << 30

#: Called after each commit, from whatever thread; must be quick.
OnGrowth = Callable[[], None]


class Writer(Protocol):
    """One for each open log."""

    @property
    def held(self) -> Held:
        """Replaced, never changed."""

    @property
    def protections(self) -> dict[str, str]:
        """Of the process that writes, if it has one of its own: name → "on", or why not."""

    @property
    def pid(self) -> int:
        """Of the process that writes; 0 while there is none, and for a thread."""

    @property
    def lost(self) -> int:
        """Processes that ended unasked."""

    def submit(self, entries: Sequence[bytes], checkpoint: Checkpoint | None = None) -> asyncio.Future[int]:
        """Queues entries to append, or a checkpoint to keep; the future gives the first index once all is durable.

        Raises:
            LogClosed: after `close`.
        """

    def close(self) -> None:
        """Commits what was queued before, then stops."""


MakeWriter = Callable[[HeadFile, Held, OnGrowth], Writer]


class Job(NamedTuple):  # one is made for every append: a frozen dataclass takes three times as long
    """Entries to append, or a checkpoint to keep; who waits, and in which event loop. size: bytes."""

    entries: Sequence[bytes]
    checkpoint: Checkpoint | None
    loop: asyncio.AbstractEventLoop
    waiter: asyncio.Future[int]
    size: int

    @classmethod
    def make(cls, entries: Sequence[bytes], checkpoint: Checkpoint | None) -> Job:
        loop = asyncio.get_running_loop()
        return cls(entries, checkpoint, loop, loop.create_future(), sum(map(len, entries)))


def together(jobs: Sequence[Job]) -> tuple[list[bytes], Checkpoint | None]:
    """What the jobs bring: all entries, in order, and the newest checkpoint."""
    entries = [entry for job in jobs for entry in job.entries]
    return entries, max((job.checkpoint for job in jobs if job.checkpoint is not None), default=None)


def cut_jobs(jobs: list[Job]) -> tuple[list[Job], list[Job]]:
    """Those that are committed next, up to the caps, and those that wait on. The entries of one job stay together."""
    entries = size = 0
    for at, job in enumerate(jobs):
        if entries >= MAX_COMMIT_ENTRIES or size >= MAX_COMMIT_BYTES:
            return jobs[:at], jobs[at:]
        entries += len(job.entries)
        size += job.size
    return jobs, []


def failed(error: Exception) -> WriterBroken:
    """What those hear who wait for a commit that failed as nobody foresaw: one that nobody answers would hang."""
    broken = WriterBroken(f"The log writer failed: {type(error).__name__}.")
    broken.__cause__ = error
    return broken


def resolve(waiters: Sequence[tuple[asyncio.Future[int], int]], problem: HsmpubError | None) -> None:
    """Tells those who wait their index, or what went wrong. In their event loop."""
    for waiter, first in waiters:
        if waiter.done():  # who waited was cancelled; the entries stay
            continue
        if problem is None:
            waiter.set_result(first)
        else:
            waiter.set_exception(problem)
