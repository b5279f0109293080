"""The log in memory: for tests, rehearsals and dry runs. Honest: a copy of what is given, all or nothing."""

from __future__ import annotations

from hsmpub.tlog.rules import LogDamaged
from hsmpub.tlog.store import Commit, Stamp


class MemoryStore:
    """Implements `Store`; forgets everything with the process."""

    def __init__(self) -> None:
        self._entries: dict[int, bytes] = {}
        self._tiles: dict[tuple[int, int], bytes] = {}
        self._checkpoint: tuple[int, bytes] | None = None
        self._stamp: Stamp | None = None

    def size(self) -> int:
        return max(self._entries, default=-1) + 1

    def entries(self, start: int, stop: int) -> list[tuple[int, bytes]]:
        return [(i, self._entries[i]) for i in range(start, stop) if i in self._entries]

    def find_last(self, prefix: bytes, containing: bytes, before: int) -> int | None:
        entries = ((i, self._entries.get(i, b"")) for i in range(min(before, self.size()) - 1, -1, -1))
        return next((i for i, data in entries if data.startswith(prefix) and containing in data), None)

    def tile(self, level: int, index: int) -> bytes:
        return self._tiles.get((level, index), b"")

    def stamp(self) -> Stamp | None:
        return self._stamp

    def checkpoint(self) -> tuple[int, bytes] | None:
        return self._checkpoint

    def commit(self, commit: Commit) -> None:
        if commit.first < self.size():
            raise LogDamaged(f"Entry {commit.first} is there already.")
        self._entries.update(enumerate(map(bytes, commit.entries), commit.first))
        self._tiles.update(commit.tiles)
        self._stamp = commit.stamp
        if commit.checkpoint is not None and commit.checkpoint > (self._checkpoint or (-1, b"")):
            self._checkpoint = commit.checkpoint

    def rewind(self, stamp: Stamp) -> None:
        for index in range(stamp.size, self.size()):
            self._entries.pop(index, None)
        self._stamp = stamp

    def close(self) -> None:
        pass
