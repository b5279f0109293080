"""A copy of the log, apart from its keeper: measured from its entries alone, against the pinned log key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from hsmpub.errors import Broken, Conflict
from hsmpub.tlog.checkpoint import Checkpoint, check_checkpoint
from hsmpub.tlog.merkle import leaf_hash
from hsmpub.tlog.note import VerifierKey
from hsmpub.tlog.reader import LogReader
from hsmpub.tlog.tile import Frontier

_CHUNK = 4096


class LogCopyAltered(Broken):
    advice = "Take another copy of the backup: the log in this one is not what its key signed."


class BackupStale(Conflict):
    advice = "Take a newer backup: with this one, entries that were published before would be missing."


def iterate_log(db: Path) -> Iterator[list[bytes]]:
    """Entries in order, in lists. Raises LogAbsent, LogDamaged, NotInLog."""
    with closing(LogReader.open(db)) as reader:
        for start in range(0, reader.size, _CHUNK):
            yield reader.entries(start, min(start + _CHUNK, reader.size))


def measure_log(db: Path, log_key: VerifierKey, known: Checkpoint | None = None) -> tuple[int, bytes]:
    """Size and root of the whole log, which continues its own newest checkpoint and the known one.

    known: a checkpoint from elsewhere (a witness, a receipt), verified before.

    Raises:
        LogCopyAltered: the entries are not those that the checkpoint in the log covers.
        BackupStale: the log is shorter than `known`, or not its continuation.
    """
    with closing(LogReader.open(db)) as reader:
        own = check_checkpoint(reader.checkpoint(), log_key)
    roots = {own.size: b""} | ({known.size: b""} if known else {})
    frontier = Frontier()
    for entries in iterate_log(db):
        leaves = [leaf_hash(entry) for entry in entries]
        for size in sorted(size for size in roots if frontier.size < size <= frontier.size + len(leaves)):
            taken, leaves = leaves[: size - frontier.size], leaves[size - frontier.size :]
            frontier.extend(taken)
            roots[size] = frontier.root()
        frontier.extend(leaves)
    if roots[own.size] != own.root:
        raise LogCopyAltered(f"The log's entries are not those that its checkpoint of {own.size} covers.")
    if known is not None and roots[known.size] != known.root:
        raise BackupStale(f"The log has {frontier.size} entries and does not continue the checkpoint of {known.size}.")
    return frontier.size, frontier.root()
