"""The journal of a ceremony under way: what a killed one needs to resume, or to leave everything as it was.

    preparing    nothing in force was touched: it is rolled back
    acting       the HSM may have been changed: the quorum meets again, and the ceremony goes on where it was
    committing   everything is made and signed: what is left needs no secret, and is done

Source: write-ahead journals; each change of phase is a new file, synced, and renamed over the one before.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import msgspec

from ceremony.place import OutputNotWritten, sync_directory, write_new
from hsmpub.errors import Broken

Phase = Literal["preparing", "acting", "committing"]


class JournalMalformed(Broken):
    advice = "Keep the home as it is, and look at keeper/ceremony.json with whoever held the ceremony."


class Journal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One ceremony under way.

    log_size: entries in the log before it; transcript: steps so far, from `acting` on; outputs: path below the
    ceremony's folder → SHA-256, hex; replaced: path below the home → SHA-256 of what takes its place, which lies
    beside it (`commit.new_file`); removed: paths below the home; data: what the ceremony itself needs to go on;
    entries: for the log.
    """

    journal: Literal["hsmpub ceremony journal v1"]
    ceremony: str
    number: int
    phase: Phase
    log_size: int
    transcript: str = ""
    outputs: dict[str, str] = {}
    replaced: dict[str, str] = {}
    removed: tuple[str, ...] = ()
    data: dict[str, Any] = {}
    entries: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Of the ceremony's folder."""
        return f"{self.number}-{self.ceremony}"


def load_journal(path: Path) -> Journal | None:
    """The journal, or None where there is none. Raises JournalMalformed."""
    try:
        journal = msgspec.json.decode(path.read_bytes(), type=Journal)
    except FileNotFoundError:
        return None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise JournalMalformed("The journal of a ceremony cannot be read.") from None
    for name in (journal.name, *journal.outputs, *journal.replaced, *journal.removed):
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise JournalMalformed("The journal of a ceremony names a path outside of the home.")
    return journal


def save_journal(path: Path, journal: Journal) -> None:
    """Puts the journal there, durably, or leaves the one before. Raises OutputNotWritten."""
    new = _new(path)
    new.unlink(missing_ok=True)  # of a ceremony that was killed right here
    write_new(new, msgspec.json.format(msgspec.json.encode(journal), indent=1) + b"\n", 0o600)
    try:
        os.replace(new, path)
        sync_directory(path.parent)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise OutputNotWritten(f"{path} cannot be written: {error.strerror}.") from None


def remove_journal(path: Path) -> None:
    """The ceremony has ended."""
    _new(path).unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    sync_directory(path.parent)


def _new(path: Path) -> Path:
    return path.with_name(path.name + ".new")
