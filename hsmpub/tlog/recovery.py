"""What a log must pass before it is opened: rows, head file and last signed checkpoint tell one history.

The whole right edge and the tiles over it are checked here, in O(log n); the entries below when they are read or
iterated over. When something does not fit, a scan of everything says what.
"""

from __future__ import annotations

from hsmpub.errors import HsmpubError
from hsmpub.tlog.checkpoint import check_checkpoint
from hsmpub.tlog.committer import Held
from hsmpub.tlog.head import Head, HeadFile
from hsmpub.tlog.merkle import EMPTY_ROOT, HASH_BYTES, leaf_hash
from hsmpub.tlog.note import VerifierKey
from hsmpub.tlog.rules import (
    CheckpointForged,
    LogAltered,
    LogForeign,
    LogForked,
    LogRolledBack,
    LogTruncated,
)
from hsmpub.tlog.store import Rows, is_own_stamp
from hsmpub.tlog.tile import WIDTH, Frontier, tile_width


def recover(rows: Rows, head: HeadFile, log_key: VerifierKey) -> Held:
    """The log as it may be held, after these checks in this order; then the head file is level with it.

    1. No acknowledged entry is missing.
    2. The tree of the acknowledged size has the acknowledged root.
    3. Entries beyond it carry the keeper's stamp: a crash came between commit and head.
    4. The checkpoint signed last lies on this history.

    Raises:
        LogTruncated, LogRolledBack, LogAltered, LogForked, LogForeign, CheckpointForged, LogUnavailable.
    """
    size, known = rows.size(), head.head
    if size < known.size:
        raise _shortened(rows, size, head)
    held = _held(rows, known.size, known.root)
    held = _grown(rows, size, held, head)
    _check_checkpoint(rows, held, log_key)
    if held.size > known.size:
        head.write(Head(held.size, held.root))
    return held


def _load(rows: Rows, size: int) -> Frontier | None:
    """The frontier at a size, or None where a tile is too narrow."""
    try:
        return Frontier.load(size, rows.tile)
    except ValueError:
        return None


def check_held(rows: Rows, size: int, root: bytes) -> None:
    """The rows lead to this root at this size. Raises LogTruncated, LogAltered, LogForked."""
    if rows.size() < size:
        raise LogTruncated(f"The log holds {rows.size()} entries; {size} were acknowledged.", rows.size())
    _held(rows, size, root)


def _held(rows: Rows, size: int, root: bytes) -> Held:
    frontier = _load(rows, size)
    if frontier is None or frontier.root() != root:
        raise _fault(rows, size, root)
    edge = bytes(frontier.edges[0])
    first = size - len(edge) // HASH_BYTES
    for expected, (index, entry) in enumerate(rows.entries(first, size), first):
        at = (expected - first) * HASH_BYTES
        if index != expected or leaf_hash(entry) != edge[at : at + HASH_BYTES]:
            raise _fault(rows, size, root)
    return Held(size, root, frontier)


def _shortened(rows: Rows, size: int, head: HeadFile) -> HsmpubError:
    """A stamped older state was restored as a whole; anything else was cut."""
    stamp, frontier = rows.stamp(), _load(rows, size)
    told = f"The log holds {size} entries; {head.head.size} were acknowledged"
    if stamp is not None and frontier is not None and stamp.size == size and is_own_stamp(head.key, stamp):
        return LogRolledBack(f"{told}: the database is an older copy.")
    return LogTruncated(f"{told}: entry {size} and all after it are missing.", size)


def _grown(rows: Rows, size: int, held: Held, head: HeadFile) -> Held:
    """Accepts what a crash left between commit and head; and the stamp must fit in any case."""
    stamp = rows.stamp()
    if stamp is None or stamp.size != size or not is_own_stamp(head.key, stamp):
        what = f"Entries from {held.size} on were" if size > held.size else "The mark on the last commit was"
        raise LogForeign(f"{what} not made by this keeper.")
    if size == held.size:
        if stamp.root != held.root:
            raise LogForked(f"The last commit of {size} entries is not the one that was acknowledged.")
        return held
    return _held(rows, size, stamp.root)


def _check_checkpoint(rows: Rows, held: Held, log_key: VerifierKey) -> None:
    found = rows.checkpoint()
    if found is None:
        return
    try:
        checkpoint = check_checkpoint(found[1], log_key)
    except HsmpubError as e:
        raise CheckpointForged(f"The stored checkpoint does not count: {e.detail}") from None
    if checkpoint.size != found[0]:
        raise CheckpointForged(f"The stored checkpoint is of {checkpoint.size} entries, kept as of {found[0]}.")
    if checkpoint.size > held.size:
        raise LogRolledBack(f"The log holds {held.size} entries; a checkpoint of {checkpoint.size} was signed.")
    frontier = _load(rows, checkpoint.size)
    if frontier is None or frontier.root() != checkpoint.root:
        raise LogForked(f"The log does not continue the signed checkpoint of {checkpoint.size} entries.")


def _fault(rows: Rows, size: int, root: bytes) -> HsmpubError:
    """Scans everything to say what is wrong, where the edge of the log does not give the acknowledged root."""
    rebuilt, suspect = Frontier(), None
    for start in range(0, size, WIDTH):
        stop = min(size, start + WIDTH)
        found = rows.entries(start, stop)
        for expected, (index, _) in enumerate(found, start):
            if index != expected:
                return LogTruncated(f"Entry {expected} is missing from the log.", expected)
        if start + len(found) != stop:
            return LogTruncated(f"Entry {start + len(found)} is missing from the log.", start + len(found))
        leaves, kept = [leaf_hash(entry) for _, entry in found], rows.tile(0, start // WIDTH)
        rebuilt.extend(leaves)
        if suspect is None:
            different = (i for i, leaf in enumerate(leaves) if kept[i * HASH_BYTES : (i + 1) * HASH_BYTES] != leaf)
            suspect = next((start + i for i in different), None)
    if (rebuilt.root() if size else EMPTY_ROOT) == root:
        return _altered_tile(rows, size, rebuilt, suspect)
    if suspect is not None:
        return LogAltered(f"Entry {suspect} of the log is not what was logged.", suspect)
    return LogForked(f"The log of {size} entries is not the one that was acknowledged.")


def _altered_tile(rows: Rows, size: int, rebuilt: Frontier, suspect: int | None) -> HsmpubError:
    """The entries are right, so a hash tile is not."""
    if suspect is not None:
        tile = suspect // WIDTH
        return LogAltered(f"Hash tile 0/{tile} was altered at entry {suspect}; the entry itself is right.", suspect)
    for level in range(1, len(rebuilt.edges)):
        index = size >> 8 * (level + 1)
        width = tile_width(level, index, size)
        if rows.tile(level, index)[: width * HASH_BYTES] != bytes(rebuilt.edges[level]):
            first = index << 8 * (level + 1)
            return LogAltered(f"Hash tile {level}/{index} over the entries from {first} on was altered.", first)
    return LogForked(f"The log of {size} entries is not the one that was acknowledged.")
