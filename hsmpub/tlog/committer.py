"""What a commit is: the tree grows, and rows and head become durable, in this order.

Order of effects: rows durable in the store → head file durable → root held in memory → callers resume. Between the
first two a crash leaves a stamped commit, which the next start accepts.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import msgspec

from hsmpub.errors import HsmpubError
from hsmpub.tlog.head import Head, HeadFile
from hsmpub.tlog.merkle import leaf_hashes
from hsmpub.tlog.store import Commit, Store, make_stamp
from hsmpub.tlog.tile import Frontier

#: Size of the log, and the signed note over it.
Checkpoint = tuple[int, bytes]


class Held(msgspec.Struct, frozen=True):
    """What the keeper holds of the log: nothing that is read counts unless it leads to this root."""

    size: int
    root: bytes
    frontier: Frontier

    @classmethod
    def at(cls, frontier: Frontier) -> Held:
        return cls(frontier.size, frontier.root(), frontier)


class Committer:
    """The one that writes: commit after commit, in one thread. `held` is replaced, never changed."""

    def __init__(self, store: Store, head: HeadFile, held: Held, *, unsettled: bool = False) -> None:
        """unsettled: another committer ended amid a commit after `held`, which nobody was told of."""
        self.held = held
        self._store = store
        self._head = head
        self._unsettled = unsettled

    def commit(self, entries: Sequence[bytes], checkpoint: Checkpoint | None) -> Held:
        """All of it durable, or nothing; returns what is held from now on.

        Raises:
            LogUnavailable, LogDamaged: nothing was logged.
        """
        held = self.held
        if self._unsettled:
            self._settle(held)
        frontier = held.frontier.copy()
        tiles = frontier.extend(leaf_hashes(entries))
        grown = Held.at(frontier)
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
        return self.held

    def _settle(self, held: Held) -> None:
        """Brings head and store back to what is held, after a commit that failed half-way or whose end is unknown.

        The head first: a crash between the two leaves a stamped commit, as above."""
        if self._head.head.size > held.size:
            self._head.write(Head(held.size, held.root))
        if self._store.size() > held.size:
            self._store.rewind(make_stamp(self._head.key, held.size, held.root))
        self._unsettled = False
