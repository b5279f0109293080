"""A process of its own that commits: for the keeper, whose event loop then shares no interpreter with the disk.

One order is out at a time; what comes meanwhile waits, and leaves together. A process that ends is replaced, and the
order that it had is given again: the next one first takes back what was not acknowledged.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from hsmpub.errors import HsmpubError, Problem
from hsmpub.frames import ChannelBroken, pack_frame
from hsmpub.model.entry import EntryTooLarge
from hsmpub.tlog.committer import Checkpoint, Held
from hsmpub.tlog.head import HeadFile
from hsmpub.tlog.orders import Begun, Committed, Order
from hsmpub.tlog.rules import LogClosed, WriterBroken, as_rule
from hsmpub.tlog.sqlite import SqliteStore
from hsmpub.tlog.writer import MAX_ORDER_BYTES, Bunch, Job, OnGrowth, failed
from hsmpub.tlog.writing_child import WritingChild

log = logging.getLogger("hsmpub.tlog")

#: So often an order is given to another process; then it is refused, and the next one has a new process.
MOST_REPLACED = 3
#: Of one append; an order holds one more than it may.
MAX_JOB_BYTES = MAX_ORDER_BYTES // 2


class WriterProcess:
    """Implements `Writer`, for one event loop at a time: while that runs, no other is looked for. The head file is the
    process' to write from here on."""

    def __init__(self, store: SqliteStore, head: HeadFile, held: Held, on_growth: OnGrowth) -> None:
        """Raises WriterBroken: the system starts no more processes."""
        self.held = held
        self.protections: dict[str, str] = {}
        #: processes that ended unasked since the log was opened
        self.lost = 0
        self._db = str(store.path)
        self._head = head
        self._on_growth = on_growth
        self._waiting: list[Job] = []
        self._out: Bunch | None = None
        self._order = b""  # of what is out, as a frame
        self._in_a_row = 0
        self._loop: asyncio.AbstractEventLoop | None = None  # without one, everything here waits for the process
        self._is_called = self._is_pushing = self._closing = False
        try:
            self._child: WritingChild | None = WritingChild(self._db, head.fd, held, unsettled=False)
        except OSError as error:
            raise WriterBroken(f"The process that writes the log cannot be started ({error.strerror}).") from error

    @property
    def pid(self) -> int:
        """Of the process; 0 while there is none."""
        return 0 if self._child is None else self._child.process.pid

    def submit(self, entries: Sequence[bytes], checkpoint: Checkpoint | None = None) -> asyncio.Future[int]:
        if self._closing:
            raise LogClosed("The log is closed.")
        size = sum(map(len, entries))
        if size > MAX_JOB_BYTES:
            raise EntryTooLarge(f"The entries of one append take {size:,} bytes.")
        loop = self._loop
        if loop is None or not loop.is_running():  # to ask which one runs is a system call
            loop = asyncio.get_running_loop()
            self._move_to(loop)
            self._push()
        waiter = loop.create_future()
        self._waiting.append(Job(entries, checkpoint, loop, waiter, size))
        if self._out is None and not self._is_called:
            self._call()
        return waiter

    def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        self._move_to(None)
        self._push()
        self._next()
        while self._out is not None:
            self._pull()
        if self._child is not None:
            self._child.end(at_once=False)
            self._child = None

    # --- orders ---

    def _call(self) -> None:
        """Has `_next` called when this turn of the event loop is over: what else it brings leaves together."""
        if self._loop is None:
            self._next()
        elif self._out is None and not self._is_called:
            self._is_called = True
            self._loop.call_soon(self._next)

    def _next(self) -> None:
        self._is_called = False
        if self._out is not None or not self._waiting:
            return
        self._out = Bunch.of(self._waiting)
        self._waiting = self._waiting[len(self._out.jobs) :]
        try:
            self._order = pack_frame(Order(self._out.entries, self._out.checkpoint))
        except Exception as error:  # whoever waits is told, and who comes next is served
            self._tell(self.held.size, failed(error))
            self._call()
            return
        if self._child is None:
            self._replace()
        else:
            self._child.send(self._order)
            self._push()

    def _push(self) -> None:
        """Sends on: all of it, or what the channel takes now, and the rest when it takes more."""
        if self._child is None:
            return
        done = self._child.push(wait=self._loop is None)
        if self._loop is not None and done is self._is_pushing:
            self._is_pushing = not done
            if done:
                self._loop.remove_writer(self._child.channel)
            else:
                self._loop.add_writer(self._child.channel, self._push)

    # --- answers ---

    def _pull(self) -> None:
        assert self._child is not None
        try:
            for answer in self._child.pull(wait=self._loop is None):
                if isinstance(answer, Begun):
                    self.protections = answer.protections
                else:
                    self._land(answer)
        except (ChannelBroken, ValueError) as error:
            self.lost += 1
            log.warning("the process that writes the log ended, and is replaced: %s", error)
            self._replace()

    def _land(self, answer: Committed | Problem) -> None:
        """The order is done, or refused. Raises ValueError: this is no answer to it."""
        first, size = self.held.size, 0 if self._out is None else len(self._out.entries)
        if isinstance(answer, Committed):
            if self._out is None or answer.edge.size != first + size:
                raise ValueError("it answered something else")
            if size:
                self.held = Held.at(answer.edge.frontier())
                self._on_growth()
        self._in_a_row = 0
        self._tell(first, as_rule(answer) if isinstance(answer, Problem) else None)
        if self._waiting:
            self._call()

    def _tell(self, first: int, problem: HsmpubError | None) -> None:
        """Those of the order hear how it went."""
        bunch, self._out, self._order = self._out, None, b""
        if bunch is None:
            return
        for loop in bunch.loops if self._loop is None else (self._loop,):
            if not loop.is_closed():
                bunch.tell(loop, first, problem)

    # --- processes and event loops ---

    def _replace(self) -> None:
        """A new process, which is given the order that is out; or none, when too many have ended over it."""
        self._drop()
        self._in_a_row += 1
        if self._in_a_row <= MOST_REPLACED:
            try:
                self._child = WritingChild(self._db, self._head.fd, self.held, unsettled=True)
            except Exception as error:  # of the system, for memory or processes
                log.warning("a process that writes the log cannot be started: %s", type(error).__name__)
        if self._child is None:
            self._in_a_row = 0
            problem = WriterBroken("Process after process that was to write the log has ended.")
            self._tell(self.held.size, problem)
            self._out, self._waiting = Bunch(self._waiting, [], None), []
            self._tell(self.held.size, problem)
            return
        if self._loop is not None:
            self._loop.add_reader(self._child.channel, self._pull)
        if self._out is not None:
            self._child.send(self._order)
            self._push()

    def _drop(self) -> None:
        loop, child = self._loop, self._child
        self._move_to(None)
        self._loop, self._child = loop, None
        if child is not None:
            child.end(at_once=True)

    def _move_to(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Answers come to this event loop from now on; the one before may be closed."""
        if self._child is not None:
            if self._loop is not None and not self._loop.is_closed():
                self._loop.remove_reader(self._child.channel)
                self._loop.remove_writer(self._child.channel)
            if loop is not None:
                loop.add_reader(self._child.channel, self._pull)
        self._loop = loop
        self._is_called = self._is_pushing = False
