"""A thread that commits: for ceremonies, and for logs in memory."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Sequence

from hsmpub.errors import HsmpubError
from hsmpub.tlog.committer import Checkpoint, Committer, Held
from hsmpub.tlog.head import HeadFile
from hsmpub.tlog.rules import LogClosed
from hsmpub.tlog.store import Store
from hsmpub.tlog.writer import (
    MAX_COMMIT_BYTES,
    MAX_COMMIT_ENTRIES,
    Job,
    OnGrowth,
    failed,
    resolve,
    together,
)


class WriterThread:
    """Implements `Writer`, for event loops of any thread. Owns the store's writing side and the head file."""

    def __init__(self, store: Store, head: HeadFile, held: Held, on_growth: OnGrowth) -> None:
        self.protections: dict[str, str] = {}
        self.pid = self.lost = 0
        self._committer = Committer(store, head, held)
        self._on_growth = on_growth
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    @property
    def held(self) -> Held:
        return self._committer.held

    def submit(self, entries: Sequence[bytes], checkpoint: Checkpoint | None = None) -> asyncio.Future[int]:
        if self._closing:
            raise LogClosed("The log is closed.")
        job = Job.make(entries, checkpoint)
        self._jobs.put(job)
        return job.waiter

    def close(self) -> None:
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

    def _gather(self, first: Job) -> tuple[list[Job], bool]:
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

    def _answer(self, jobs: list[Job]) -> None:
        first, problem = self.held.size, None
        try:
            if self._committer.commit(*together(jobs)).size > first:
                self._on_growth()
        except HsmpubError as e:
            problem = e
        except Exception as e:
            problem = failed(e)
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[int], int]]] = {}
        for job in jobs:
            by_loop.setdefault(job.loop, []).append((job.waiter, first))
            first += len(job.entries)
        for loop, waiters in by_loop.items():
            with contextlib.suppress(RuntimeError):  # the loop is gone, and who waited with it
                loop.call_soon_threadsafe(resolve, waiters, problem)
