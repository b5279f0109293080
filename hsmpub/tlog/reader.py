"""Reading the log without trusting it: what the front serves. Whoever is served verifies; nothing is verified here."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from hsmpub.tlog.bundle import dump_bundle
from hsmpub.tlog.merkle import HASH_BYTES, inclusion_proof
from hsmpub.tlog.proof import dump_proof
from hsmpub.tlog.rules import CheckpointPending, LogDamaged, NotInLog
from hsmpub.tlog.sqlite_rows import SqliteRows
from hsmpub.tlog.store import Rows
from hsmpub.tlog.tile import MAX_LEVEL, WIDTH, node_reader, pyramid, tile_width

_PYRAMIDS = 64  # of about 30 KiB
_POLL_FIRST, _POLL_LONGEST = 0.002, 0.05  # seconds


class LogReader:
    """Reads the log from another process while the keeper writes it. Safe to use from several threads."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._pyramids: OrderedDict[tuple[int, int, int], list[list[bytes]]] = OrderedDict()

    @classmethod
    def open(cls, db: Path) -> LogReader:
        """Raises LogAbsent, LogDamaged, LogUnavailable."""
        return cls(SqliteRows(db))

    @property
    def size(self) -> int:
        """Entries in the database; the newest of them may not be covered by a checkpoint yet."""
        return self._rows.size()

    def checkpoint(self) -> bytes:
        """The newest signed checkpoint, a C2SP note. Raises CheckpointPending before the first."""
        return self._checkpoint()[1]

    def _checkpoint(self) -> tuple[int, bytes]:
        found = self._rows.checkpoint()
        if found is None:
            raise CheckpointPending("No checkpoint was signed yet.")
        return found

    @property
    def checkpoint_size(self) -> int:
        """Entries that the newest checkpoint covers; 0 before the first."""
        found = self._rows.checkpoint()
        return 0 if found is None else found[0]

    def tile(self, level: int, index: int, width: int = WIDTH) -> bytes:
        """A hash tile: `width` hashes of 32 bytes. Raises NotInLog where the log is not that far."""
        self._check_width(level, index, width)
        hashes = self._rows.tile(level, index)[: width * HASH_BYTES]
        if len(hashes) != width * HASH_BYTES:
            raise LogDamaged(f"Hash tile {level}/{index} is narrower than {width}.")
        return hashes

    def entry_bundle(self, index: int, width: int = WIDTH) -> bytes:
        """`width` entries from `index * 256` on, each behind its 16-bit length. Raises NotInLog."""
        self._check_width(0, index, width)
        return dump_bundle(self.entries(index * WIDTH, index * WIDTH + width))

    def _check_width(self, level: int, index: int, width: int) -> None:
        if not (0 <= level <= MAX_LEVEL and 0 <= index < 1 << 55 and 1 <= width <= WIDTH):
            raise NotInLog("There is no such tile.")
        if width > tile_width(level, index, self.checkpoint_size):
            raise NotInLog(f"The signed log does not reach to width {width} of tile {level}/{index}.")

    def entries(self, start: int, stop: int) -> list[bytes]:
        """Exact bytes of the entries [start, stop). Raises NotInLog when one is not there."""
        found = self._rows.entries(start, stop)
        if [index for index, _ in found] != list(range(start, stop)):
            raise NotInLog(f"The log does not hold all entries from {start} to {stop - 1}.")
        return [entry for _, entry in found]

    def entry(self, index: int) -> bytes:
        """Exact bytes of one entry. Raises NotInLog."""
        return self.entries(index, index + 1)[0]

    def find_last(self, prefix: bytes, containing: bytes, before: int) -> int | None:
        """Index of the last entry below `before` that begins with `prefix` and contains the rest, or None."""
        return self._rows.find_last(prefix, containing, before)

    def proof(self, index: int, size: int) -> list[bytes]:
        """Inclusion proof of entry `index` in the log of `size`: raw hashes, leaf's sibling first. Raises NotInLog."""
        if not 0 <= index < size:
            raise NotInLog(f"A log of {size} entries has no entry {index}.")
        return inclusion_proof(index, size, node_reader(lambda level, tile: self._pyramid(level, tile, size)))

    def log_proofs(self, indexes: Sequence[int]) -> tuple[bytes, list[str]]:
        """The newest checkpoint, and C2SP tlog-proofs of entries all under it. Raises NotInLog, CheckpointPending."""
        size, note = self._checkpoint()
        return note, [dump_proof(index, self.proof(index, size), note) for index in indexes]

    def _pyramid(self, level: int, index: int, size: int) -> list[list[bytes]]:
        width = tile_width(level, index, size)
        key = (level, index, width)
        found = self._pyramids.pop(key, None)
        if found is None:
            hashes = self._rows.tile(level, index)[: width * HASH_BYTES]
            if len(hashes) != width * HASH_BYTES:
                raise NotInLog(f"The log does not reach to {size} entries.")
            found = pyramid(hashes)
            while len(self._pyramids) >= _PYRAMIDS:
                self._pyramids.popitem(last=False)
        self._pyramids[key] = found
        return found

    async def wait_for_checkpoint(self, index: int, timeout: float) -> bytes:
        """The first checkpoint that covers entry `index`, by looking again and again. timeout: seconds.

        Raises:
            CheckpointPending: not within that time.
        """
        loop = asyncio.get_running_loop()
        deadline, pause = loop.time() + timeout, _POLL_FIRST
        while True:
            found = self._rows.checkpoint()
            if found is not None and found[0] > index:
                return found[1]
            left = deadline - loop.time()
            if left <= 0:
                raise CheckpointPending(f"No checkpoint covers entry {index} yet.")
            await asyncio.sleep(min(pause, left))
            pause = min(pause * 1.5, _POLL_LONGEST)

    def close(self) -> None:
        self._rows.close()
