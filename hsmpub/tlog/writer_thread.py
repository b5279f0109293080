"""A thread that commits: for ceremonies, and for logs in memory."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Iterator, Sequence

from hsmpub.errors import HsmpubError
from hsmpub.tlog.committer import Checkpoint, Committer, Held
from hsmpub.tlog.head import HeadFile
from hsmpub.tlog.rules import LogClosed
from hsmpub.tlog.store import Store
from hsmpub.tlog.writer import Bunch, Job, OnGrowth, failed


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
        loop = asyncio.get_running_loop()
        job = Job(entries, checkpoint, loop, loop.create_future(), sum(map(len, entries)))
        self._jobs.put(job)
        return job.waiter

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._answer(Bunch.of(self._waiting(job)))

    def _waiting(self, first: Job) -> Iterator[Job]:
        """What waits already. The end is put back."""
        job: Job | None = first
        with contextlib.suppress(queue.Empty):
            while job is not None:
                yield job
                job = self._jobs.get_nowait()
            self._jobs.put(None)

    def _answer(self, bunch: Bunch) -> None:
        first, problem = self.held.size, None
        try:
            if self._committer.commit(bunch.entries, bunch.checkpoint).size > first:
                self._on_growth()
        except HsmpubError as e:
            problem = e
        except Exception as e:
            problem = failed(e)
        for loop in bunch.loops:
            with contextlib.suppress(RuntimeError):  # the loop is gone, and who waited with it
                loop.call_soon_threadsafe(bunch.tell, loop, first, problem)
