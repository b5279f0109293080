"""A keeper for the courier's tests: real socket, frames, token and boxes; the journal is a list in memory.

It keeps the rules of the real one: the intent is written before the lease, attempts are counted, none begins while
the one before has no outcome, and what is finished stays so.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from hsmpub.errors import Conflict, NotFound, Sealed
from hsmpub.secret.box import seal_box
from hsmpub.wire import messages as m
from hsmpub.wire.server import ChannelServer

FINISHED = ("accepted", "already-same")


class NothingToPublish(NotFound):
    pass


class OutcomeNotRecorded(Conflict):
    pass


class ItemFinished(Conflict):
    pass


@dataclass(frozen=True)
class Entry:
    """One line of the journal. what: `intent`, `outcome` or `keys`."""

    what: str
    item: str
    attempt: int = 0
    result: str = ""
    observed: str = ""
    detail: str = ""


@dataclass
class KeeperOfJobs:
    """Answers the courier from a thread of its own. `journal` is what a real keeper would have in its log."""

    path: Path
    credentials: dict[str, bytes] = field(default_factory=dict)
    issuers: tuple[m.IssuerToFetch, ...] = ()
    token: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    journal: list[Entry] = field(default_factory=list)
    offered: dict[str, bytes] = field(default_factory=dict)
    sealed: bool = False
    #: called in a thread before and after a message takes effect; may block, the courier then waits for its reply
    before: Callable[[m.CourierMessage], None] = lambda _: None
    after: Callable[[m.CourierMessage], None] = lambda _: None
    _jobs: dict[tuple[str, str], m.Job] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def add(self, job: m.Job) -> None:
        with self._changed:
            self._jobs[job.request, job.target] = job

    def items(self, request: str, target: str) -> dict[str, m.JobItem]:
        return {item.name: item for item in self._jobs[request, target].items}

    def outcomes(self) -> list[tuple[str, int, str]]:
        return [(e.item, e.attempt, e.result) for e in list(self.journal) if e.what == "outcome"]

    def intents(self) -> list[tuple[str, int]]:
        return [(e.item, e.attempt) for e in list(self.journal) if e.what == "intent"]

    def wait_for(self, met: Callable[[], bool], seconds: float = 60) -> None:
        """Waits until something that the courier said makes `met` true."""
        with self._changed:
            if not self._changed.wait_for(met, seconds):
                raise AssertionError(f"the courier did not come this far: {self.journal}")

    def wait_for_outcomes(self, count: int, seconds: float = 60) -> list[tuple[str, int, str]]:
        self.wait_for(lambda: len(self.outcomes()) >= count, seconds)
        return self.outcomes()

    async def _handle(self, message: m.CourierMessage) -> m.CourierReply:
        await asyncio.to_thread(self.before, message)
        with self._changed:
            try:
                reply = self._answer(message)
            finally:
                self._changed.notify_all()
        await asyncio.to_thread(self.after, message)
        return reply

    def _answer(self, message: m.CourierMessage) -> m.CourierReply:
        match message:
            case m.GetJobs():
                open_ = [j for j in self._jobs.values() if self._is_open(j)]
                return m.JobsReply(tuple(open_))
            case m.GetIssuers():
                return m.IssuersReply(self.issuers)
            case m.OfferIssuerKeys(issuer, _, jwks):
                self.offered[issuer] = jwks
                self.journal.append(Entry("keys", issuer))
                return m.Done()
            case m.BeginAttempt():
                return self._begin(message)
            case m.RecordOutcome():
                self._record(message)
                return m.Done()

    def _begin(self, message: m.BeginAttempt) -> m.Lease:
        job, item = self._find(message.request, message.target, message.item)
        if item.state in FINISHED:
            raise ItemFinished("It is published.")
        if item.state not in ("waiting", "failed"):
            raise OutcomeNotRecorded("The last attempt has no outcome.")
        if self.sealed:
            raise Sealed("The service is sealed.")
        attempt = item.attempt + 1
        self.journal.append(Entry("intent", item.name, attempt))
        self._set(job, msgspec.structs.replace(item, state="attempting", attempt=attempt))
        info = m.lease_info(message.request, message.target, message.item)
        return m.Lease(attempt, seal_box(message.child_key, info, self.credentials[message.target]))

    def _record(self, message: m.RecordOutcome) -> None:
        job, item = self._find(message.request, message.target, message.item)
        if item.state in FINISHED:
            raise ItemFinished("It is published.")
        if message.attempt != item.attempt:
            raise NothingToPublish("No such attempt.")
        self.journal.append(
            Entry("outcome", item.name, message.attempt, message.result, message.observed, message.detail)
        )
        self._set(job, msgspec.structs.replace(item, state=message.result))

    def _is_open(self, job: m.Job) -> bool:
        states = [item.state for item in job.items]
        return "conflict" not in states and not all(state in FINISHED for state in states)

    def _find(self, request: str, target: str, name: str) -> tuple[m.Job, m.JobItem]:
        job = self._jobs.get((request, target))
        if job is None or not self._is_open(job):
            raise NothingToPublish("No such job.")
        return job, next(item for item in job.items if item.name == name)

    def _set(self, job: m.Job, item: m.JobItem) -> None:
        items = tuple(item if old.name == item.name else old for old in job.items)
        self._jobs[job.request, job.target] = msgspec.structs.replace(job, items=items)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = ChannelServer(
            self.path, m.CourierCall, m.CourierAnswer, self._handle, uids={os.getuid()}, token=self.token
        )
        self._run(self._server.start())

    def stop(self) -> None:
        self._run(self._server.close())
        self._run(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, coroutine: Any) -> None:
        future: Future[None] = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        future.result(30)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        self.stop()
