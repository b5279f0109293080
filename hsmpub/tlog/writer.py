"""The seam between the log and whoever commits: whatever waits is committed together, and only then told of.

A thread commits for ceremonies and tests, a process of its own for the keeper.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import msgspec

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


class Job(msgspec.Struct, frozen=True, eq=False):  # one is made for every append, and a Struct is made without Python
    """Entries to append, or a checkpoint to keep; who waits, and in which event loop. size: bytes."""

    entries: Sequence[bytes]
    checkpoint: Checkpoint | None
    loop: asyncio.AbstractEventLoop
    waiter: asyncio.Future[int]
    size: int


class Bunch(msgspec.Struct, frozen=True, eq=False):
    """Jobs that are committed together: all their entries, in order, and the newest checkpoint."""

    jobs: list[Job]
    entries: list[bytes]
    checkpoint: Checkpoint | None

    @classmethod
    def of(cls, waiting: Iterable[Job]) -> Bunch:
        """Of the first that wait, up to the caps; no more are asked for. The entries of one job stay together."""
        jobs: list[Job] = []
        entries: list[bytes] = []
        size, checkpoint = 0, None
        for job in waiting:
            jobs.append(job)
            entries += job.entries
            size += job.size
            if job.checkpoint is not None:
                checkpoint = max(job.checkpoint, checkpoint or job.checkpoint)
            if len(entries) >= MAX_COMMIT_ENTRIES or size >= MAX_COMMIT_BYTES:
                break
        return cls(jobs, entries, checkpoint)

    def tell(self, loop: asyncio.AbstractEventLoop, first: int, problem: HsmpubError | None) -> None:
        """Those who wait in this event loop hear their index, or what went wrong. To be called in it.

        first: index of the first entry.
        """
        for job in self.jobs:
            waiter = job.waiter
            if job.loop is loop and not waiter.done():  # who waited was cancelled; the entries stay
                if problem is None:
                    waiter.set_result(first)
                else:
                    waiter.set_exception(problem)
            first += len(job.entries)

    @property
    def loops(self) -> set[asyncio.AbstractEventLoop]:
        return {job.loop for job in self.jobs}


def failed(error: Exception) -> WriterBroken:
    """What those hear who wait for a commit that failed as nobody foresaw: one that nobody answers would hang."""
    broken = WriterBroken(f"The log writer failed: {type(error).__name__}.")
    broken.__cause__ = error
    return broken
