"""The keeper's log: holder of the root, who alone has it written, and first judge of what is read back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from hsmpub.model.entry import MAX_ENTRY_BYTES, EntryTooLarge
from hsmpub.tlog.checkpointer import Checkpointer
from hsmpub.tlog.head import Head, HeadFile
from hsmpub.tlog.merkle import leaf_hashes
from hsmpub.tlog.note import NoteSigner, VerifierKey, load_verifier_key
from hsmpub.tlog.reader import LogReader
from hsmpub.tlog.recheck import recheck
from hsmpub.tlog.recovery import recover
from hsmpub.tlog.rules import LogExists, NotInLog
from hsmpub.tlog.sqlite import SqliteStore
from hsmpub.tlog.store import Commit, Store, make_stamp
from hsmpub.tlog.tile import Frontier
from hsmpub.tlog.verified import VerifiedRows
from hsmpub.tlog.writer import MakeWriter, Writer
from hsmpub.tlog.writer_process import WriterProcess
from hsmpub.tlog.writer_thread import WriterThread


class Log:
    """An open log. One keeper at a time; a thread or a process of its own commits.

    Appends are answered in the order of their indexes. Who is cancelled while it waits for `append` has logged all
    the same: shield what must not be lost sight of.
    """

    def __init__(
        self, store: Store, head: HeadFile, log_key: VerifierKey, make_writer: MakeWriter | None = None
    ) -> None:
        """Checks what is there, see `hsmpub.tlog.recovery`; use `open` or `create`.

        make_writer: of the store's commits; a thread, if not said otherwise.
        """
        self._store = store
        self._head = head
        self._rows = VerifiedRows(store)
        self.log_key = log_key
        held = recover(store, head, log_key)
        self.checkpoints = Checkpointer(log_key, lambda: self._writer.held, self._keep, store.checkpoint())
        make_writer = make_writer or partial(WriterThread, store)
        self._writer: Writer = make_writer(head, held, self.checkpoints.notice_growth)

    @classmethod
    def create(cls, db: Path, head: Path, *, log_key: str, entries: Sequence[bytes] = ()) -> Log:
        """A new log, with its first entries; durable on return. For the genesis ceremony.

        log_key: C2SP verifier key; its name is the log's origin.

        Raises:
            LogExists: one of the files is there; nothing is touched.
            VerifierKeyMalformed, EntryTooLarge, LogUnavailable.
        """
        key = load_verifier_key(log_key)
        _check_entries(entries)
        if head.exists():
            raise LogExists(f"There is a head file at {head} already.")
        frontier = Frontier()
        tiles = frontier.extend(leaf_hashes(entries))
        size, root = frontier.size, frontier.root()
        store = SqliteStore.create(db)
        try:
            file = HeadFile.create(head, Head(size, root))
            store.commit(Commit(0, entries, tiles, make_stamp(file.key, size, root)))
        except BaseException:  # half a log would be in the way of the next attempt
            store.close()
            db.unlink(missing_ok=True)
            head.unlink(missing_ok=True)
            raise
        return cls(store, file, key)

    @classmethod
    def open(cls, db: Path, head: Path, *, log_key: str, apart: bool = False) -> Log:
        """An existing log; creates nothing.

        log_key: C2SP verifier key, pinned: the stored checkpoint must be signed by it. apart: a process of its own
        commits, not a thread.

        Raises:
            LogAbsent, LogInUse: no log, or another keeper holds it.
            LogTruncated, LogRolledBack, LogAltered, LogForked, LogForeign, LogDamaged, HeadDamaged, CheckpointForged:
                it is not the log that was acknowledged; nothing was changed.
            LogUnavailable: the disk refuses.
            WriterBroken: the process that commits cannot be started.
        """
        key = load_verifier_key(log_key)
        file = HeadFile.open(head)
        try:
            store = SqliteStore(db)
        except BaseException:
            file.close()
            raise
        try:
            return cls(store, file, key, partial(WriterProcess, store) if apart else None)
        except BaseException:
            store.close()
            file.close()
            raise

    @property
    def protections(self) -> dict[str, str]:
        """Of the process that commits: name → "on", or why not; empty before it has begun, and of a thread."""
        return self._writer.protections

    @property
    def writer_pid(self) -> int:
        """Of the process that commits; 0 while there is none, and for a thread."""
        return self._writer.pid

    @property
    def writers_lost(self) -> int:
        """Processes that committed, ended unasked and were replaced, since the log was opened."""
        return self._writer.lost

    @property
    def size(self) -> int:
        return self._writer.held.size

    @property
    def root(self) -> bytes:
        """Raw SHA-256 over everything acknowledged."""
        return self._writer.held.root

    @property
    def head(self) -> tuple[int, bytes]:
        """Size and root of the same moment."""
        held = self._writer.held
        return held.size, held.root

    async def append(self, entries: Sequence[bytes]) -> int:
        """Logs entries, together and in this order; returns the index of the first once all of them are durable.

        Raises:
            EntryTooLarge: one is over 65,535 bytes; none was logged.
            LogUnavailable: disk full or failing; none was logged, and the log works on when there is room.
            LogClosed: after `close`.
        """
        if not entries:
            raise ValueError("nothing to log")
        _check_entries(entries)
        return await self._writer.submit(tuple(entries))

    def read(self, index: int) -> bytes:
        """The entry, verified against the held root.

        Raises:
            NotInLog: the log is shorter.
            LogAltered, LogTruncated: it is not what was logged; the rule names the index.
        """
        held = self._writer.held
        if not 0 <= index < held.size:
            raise NotInLog(f"The log holds {held.size} entries; there is no entry {index}.")
        return self._rows.entry(held, index)

    def iterate(self, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """Index and bytes of every entry held now, each verified before it is given.

        Raises:
            LogAltered, LogTruncated: an entry is not what was logged; the rule names the index.
        """
        held = self._writer.held
        return self._rows.entries(held, start, held.size)

    def recheck(self) -> None:
        """Looks at the open database again: edge, root, last commit and a sample of entries, against what is held.

        Raises:
            LogTruncated, LogAltered, LogForked, LogForeign: somebody else wrote to it.
            LogUnavailable: it cannot be read now.
        """
        recheck(self._store, self._head, self._writer.held)

    async def publish_checkpoint(self, sign: NoteSigner) -> bytes:
        """A signed, stored checkpoint (C2SP note) of everything held now; no new one when nothing grew."""
        return await self.checkpoints.publish(sign)

    def start_checkpoints(self, sign: NoteSigner) -> None:
        """From now on (unsealed) the newest state is signed in the background, once for a burst."""
        self.checkpoints.start(sign)

    def stop_checkpoints(self) -> None:
        """From now on (sealed) nothing is signed; entries are appended all the same."""
        self.checkpoints.stop()

    async def wait_checkpoint(self, size: int, timeout: float | None = None) -> bytes:
        """The first checkpoint that covers `size` entries. timeout: seconds. Raises CheckpointPending."""
        return await self.checkpoints.wait(size, timeout)

    def reader(self) -> LogReader:
        """Proofs and tiles from this log's own store; closed with the log."""
        return LogReader(self._store)

    async def _keep(self, size: int, note: bytes) -> None:
        await self._writer.submit((), (size, note))

    def close(self) -> None:
        """Commits what was queued, ends who commits, frees the files."""
        self.checkpoints.stop()
        self._writer.close()
        self._store.close()
        self._head.close()


def _check_entries(entries: Sequence[bytes]) -> None:
    largest = max(map(len, entries), default=0)
    if largest > MAX_ENTRY_BYTES:
        raise EntryTooLarge(f"The entry takes {largest:,} bytes.")
