"""The one writer: a thread that commits whatever waits, together, and only then tells those who wait.

Order of effects, for each commit: rows durable in the store → head file durable → root held in memory → callers
resume. Between the first two a crash leaves a stamped commit, which the next start accepts.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hsmpub.errors import Broken, HsmpubError
from hsmpub.tlog.head import Head, HeadFile
from hsmpub.tlog.merkle import leaf_hash
from hsmpub.tlog.rules import LogClosed
from hsmpub.tlog.store import Commit, Store, make_stamp
from hsmpub.tlog.tile import Frontier

MAX_COMMIT_ENTRIES = 4096
MAX_COMMIT_BYTES = 16 * 1024 * 1024


class WriterBroken(Broken):
    advice = "Restart the keeper and report this."


@dataclass(frozen=True, slots=True)
class Held:
    """What the keeper holds of the log: nothing that is read counts unless it leads to this root."""

    size: int
    root: bytes
    frontier: Frontier


class _Job(NamedTuple):  # one is made for every append: a frozen dataclass takes three times as long
    """Entries to append, or a checkpoint (size, note) to keep; who waits, and in which event loop. size: bytes."""

    entries: Sequence[bytes]
    checkpoint: tuple[int, bytes] | None
    loop: asyncio.AbstractEventLoop
    waiter: asyncio.Future[int]
    size: int


class GroupWriter:
    """Owns the store's writing side and the head file. `held` is replaced, never changed."""

    def __init__(self, store: Store, head: HeadFile, held: Held, on_growth: Callable[[Held], None]) -> None:
        """on_growth: called in the writer's thread after each commit that added entries; must be quick."""
        self.held = held
        self._store = store
        self._head = head
        self._on_growth = on_growth
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closing = False
        self._unsettled = False
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def submit(self, entries: Sequence[bytes], checkpoint: tuple[int, bytes] | None = None) -> asyncio.Future[int]:
        """Queues a job; the future gives the first index once all is durable. Raises LogClosed."""
        if self._closing:
            raise LogClosed("The log is closed.")
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[int] = loop.create_future()
        self._jobs.put(_Job(entries, checkpoint, loop, waiter, sum(map(len, entries))))
        return waiter

    def close(self) -> None:
        """Commits what was queued before, then stops the thread."""
        if not self._closing:
            self._closing = True
            self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            jobs, last = self._gather(job)
            self._answer(jobs)
            if last:
                break

    def _gather(self, first: _Job) -> tuple[list[_Job], bool]:
        """What waits already, up to the caps; and whether the end was among it."""
        jobs, entries, size = [first], len(first.entries), first.size
        with contextlib.suppress(queue.Empty):
            while entries < MAX_COMMIT_ENTRIES and size < MAX_COMMIT_BYTES:
                job = self._jobs.get_nowait()
                if job is None:
                    return jobs, True
                jobs.append(job)
                entries += len(job.entries)
                size += job.size
        return jobs, False

    def _answer(self, jobs: list[_Job]) -> None:
        first, problem = self.held.size, None
        try:
            self._commit(jobs)
        except HsmpubError as e:
            problem = e
        except Exception as e:  # a waiter that nobody answers would hang for ever
            problem = WriterBroken(f"The log writer failed: {type(e).__name__}.")
            problem.__cause__ = e
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[int], int]]] = {}
        for job in jobs:
            by_loop.setdefault(job.loop, []).append((job.waiter, first))
            first += len(job.entries)
        for loop, waiters in by_loop.items():
            with contextlib.suppress(RuntimeError):  # the loop is gone, and who waited with it
                loop.call_soon_threadsafe(_resolve, waiters, problem)

    def _commit(self, jobs: list[_Job]) -> None:
        held = self.held
        if self._unsettled:
            self._settle(held)
        entries = [entry for job in jobs for entry in job.entries]
        checkpoint = max((job.checkpoint for job in jobs if job.checkpoint is not None), default=None)
        frontier = held.frontier.copy()
        tiles = frontier.extend([leaf_hash(entry) for entry in entries])
        grown = Held(frontier.size, frontier.root(), frontier)
        self._unsettled = True  # until both are durable, or both are as before
        try:
            stamp = make_stamp(self._head.key, grown.size, grown.root)
            self._store.commit(Commit(held.size, entries, tiles, stamp, checkpoint))
            if entries:
                self._head.write(Head(grown.size, grown.root))
        except HsmpubError:
            with contextlib.suppress(HsmpubError):
                self._settle(held)
            raise
        self._unsettled = False
        if entries:
            self.held = grown
            self._on_growth(grown)

    def _settle(self, held: Held) -> None:
        """Brings the store back to what is held, after a commit that failed half-way or whose end is unknown."""
        if self._store.size() > held.size:
            self._store.rewind(make_stamp(self._head.key, held.size, held.root))
        self._unsettled = False


def _resolve(waiters: list[tuple[asyncio.Future[int], int]], problem: HsmpubError | None) -> None:
    for waiter, first in waiters:
        if waiter.done():  # who waited was cancelled; the entries stay
            continue
        if problem is None:
            waiter.set_result(first)
        else:
            waiter.set_exception(problem)
