"""What was noted about a file while it was hashed, for when the signature is put in: of the same file only."""

from __future__ import annotations

import os
from typing import NamedTuple

from hsmpub.formats.noted import Notes


class Seen(NamedTuple):
    """marks: of the file when it was looked at (`marks`)."""

    marks: tuple[int, ...]
    notes: Notes


def marks(status: os.stat_result) -> tuple[int, ...]:
    """Which file it is, and what changes when it is written to: size, times of content and of inode."""
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def notes_of(seen: Seen | None, status: os.stat_result) -> Notes:
    """The notes, where the file is still as it was; none otherwise, so that it is looked through again."""
    return dict(seen.notes) if seen is not None and seen.marks == marks(status) else {}
