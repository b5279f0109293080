"""What the log had after the backup: brought by somebody who kept it, or lost and said so.

A checkpoint that is known elsewhere has the root of entries which the backup lacks. Whoever brings them need not be
trusted: they are the right ones if they give that root. Where nobody has them, the restored log puts an entry `lost`
at each index that was used, so that no number ever means two things; what was signed over the old entries stays
signed, and contradicts the new log in the open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ceremony.backup_check import Backup
from ceremony.log_snapshot import BackupStale
from hsmpub.errors import Invalid
from hsmpub.model import entry as e
from hsmpub.model.fold import ServiceState
from hsmpub.tlog.checkpoint import Checkpoint
from hsmpub.tlog.merkle import leaf_hash


class EntriesDoNotContinue(Invalid):
    advice = "Bring the exact lines of GET /log/entries, from the first missing index up to the known checkpoint."


@dataclass(frozen=True)
class After:
    """What follows the backup's log. brought: exact bytes of entries; lost: the checkpoint up to which all else is."""

    brought: tuple[bytes, ...] = ()
    lost: Checkpoint | None = None


def what_follows(backup: Backup, known: Checkpoint | None, lines: bytes | None, *, accept_loss: bool) -> After:
    """Decides how the log goes on.

    Args:
        known: the newest checkpoint known elsewhere, verified; `open_backup` was given it.
        lines: the missing entries, one on each line, as the service serves them.
        accept_loss: go on without what is missing.

    Raises:
        BackupStale: entries are missing, and neither brought nor given up.
        EntriesDoNotContinue: what was brought is something else.
    """
    size = backup.manifest.log_size
    if known is None or known.size <= size:
        return After()
    if lines is not None:
        brought = tuple(line for line in lines.split(b"\n") if line)
        _check_brought(backup, known, brought)
        return After(brought)
    if accept_loss:
        return After(lost=known)
    raise BackupStale(
        f"The log in the backup has {size} entries; a checkpoint of {known.size} is known. "
        f"Entries {size} to {known.size - 1} are missing."
    )


def _check_brought(backup: Backup, known: Checkpoint, brought: Sequence[bytes]) -> None:
    frontier = backup.frontier
    if len(brought) != known.size - frontier.size:
        raise EntriesDoNotContinue(
            f"{len(brought)} entries were brought; {known.size - frontier.size} are missing: those of"
            f" GET /log/entries?start={frontier.size}&end={known.size}."
        )
    frontier.extend([leaf_hash(entry) for entry in brought])
    if frontier.root() != known.root:
        raise EntriesDoNotContinue("The entries that were brought are not those of the known checkpoint.")


def apply_after(state: ServiceState, after: After) -> None:
    """Folds what follows into the state of the backup. Raises EntryMalformed, LogContradictsItself."""
    for index, data in enumerate(after.brought, state.size):
        state.apply(index, e.load_entry(data))
    if after.lost is not None:
        state.size = after.lost.size


def lost_entries(after: After, size: int, at: int) -> list[bytes]:
    """An entry `lost` for each index from `size` on that is known to have been used."""
    if after.lost is None:
        return []
    return [e.dump_entry(e.Lost(at, after.lost.size, after.lost.root.hex()))] * (after.lost.size - size)
