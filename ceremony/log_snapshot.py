"""A copy of the log, apart from its keeper: measured from its entries alone, against the pinned log key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from hsmpub.errors import Broken, Conflict
from hsmpub.model import entry as e
from hsmpub.model.fold import ServiceState
from hsmpub.tlog.checkpoint import Checkpoint, check_checkpoint
from hsmpub.tlog.merkle import leaf_hash
from hsmpub.tlog.note import VerifierKey
from hsmpub.tlog.reader import LogReader
from hsmpub.tlog.tile import Frontier

_CHUNK = 4096


class LogCopyAltered(Broken):
    advice = "Take another copy of the backup: the log in this one is not what its key signed."


class BackupStale(Conflict):
    advice = (
        "Take a newer backup, or bring the missing entries with --entries from whoever kept them. If nobody did, "
        "--accept-loss goes on without them, and the log says so for ever."
    )


class LogForked(Broken):
    advice = "One key has signed two histories: find out which one is true before anything is restored."


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
        BackupStale: the log is shorter than `known`.
        LogForked: it is not the log that `known` is of.
    """
    frontier = measure_frontier(db, log_key, known)
    if known is not None and known.size > frontier.size:
        raise BackupStale(
            f"The log in the backup has {frontier.size} entries; a checkpoint of {known.size} is known. "
            f"Entries {frontier.size} to {known.size - 1} are missing."
        )
    return frontier.size, frontier.root()


def measure_frontier(db: Path, log_key: VerifierKey, known: Checkpoint | None = None) -> Frontier:
    """As measure_log, for a log that may be shorter than `known`. Raises LogCopyAltered, LogForked."""
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
    if known is not None and known.size <= frontier.size and roots[known.size] != known.root:
        raise LogForked(f"The log is another one than that of the known checkpoint of {known.size} entries.")
    return frontier


def fold_log(db: Path) -> ServiceState:
    """What a measured copy says. Raises EntryMalformed, LogContradictsItself."""
    state = ServiceState()
    for index, data in enumerate(data for entries in iterate_log(db) for data in entries):
        state.apply(index, e.load_entry(data))
    return state
