"""The end of a ceremony, from its journal alone: everything is made and signed, and no secret is needed any more.

Each act is done once however often it is begun: log, then files, then the folder's name, then the journal goes.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

from ceremony.place import OutputNotWritten, sync_directory
from ceremony.standing.journal import Journal, remove_journal
from hsmpub.errors import Broken
from hsmpub.home import Home
from hsmpub.model.digest import sha256_hex
from hsmpub.tlog.log import Log
from hsmpub.transcript.record import Sign


class LogWentOn(Broken):
    advice = "The log holds something else where the ceremony's entry belongs: restore from a backup."


class StagedFileMissing(Broken):
    advice = "A file that the ceremony had made is gone or altered: restore from a backup."


_NEW = ".of-ceremony"


def unfinished_folder(home: Home, journal: Journal) -> Path:
    return home.ceremonies / f"{journal.name}.incomplete"


def new_file(path: Path) -> Path:
    """Where a file waits that is going to replace `path`."""
    return path.with_name(path.name + _NEW)


def commit(home: Home, journal: Journal, log: Log, sign: Sign | None) -> None:
    """Puts everything in force. sign: of the log key, for a checkpoint; None: the next unseal makes one.

    Raises:
        LogUnavailable, OutputNotWritten: no room, or the disk fails; to be done again.
        LogWentOn, StagedFileMissing: what is there is not what the journal says.
    """
    asyncio.run(_append(journal, log, sign))
    try:
        for name, sha256 in journal.replaced.items():
            _replace(home.root / name, sha256)
        for name in journal.removed:
            (home.root / name).unlink(missing_ok=True)
            sync_directory((home.root / name).parent)
        folder, unfinished = home.ceremonies / journal.name, unfinished_folder(home, journal)
        if unfinished.exists():
            os.rename(unfinished, folder)
            sync_directory(home.ceremonies)
        remove_journal(home.ceremony_journal)
    except OSError as error:
        raise OutputNotWritten(f"{error.filename} cannot be put in place: {error.strerror}.") from None


def roll_back(home: Home, journal: Journal) -> None:
    """Leaves the home as it was before a ceremony that changed nothing yet; the journal goes last."""
    for waiting in (*home.root.glob(f"*{_NEW}"), *home.keeper.glob(f"*{_NEW}")):
        waiting.unlink(missing_ok=True)
    shutil.rmtree(unfinished_folder(home, journal), ignore_errors=True)
    remove_journal(home.ceremony_journal)


async def _append(journal: Journal, log: Log, sign: Sign | None) -> None:
    entries = [entry.encode() for entry in journal.entries]
    if log.size == journal.log_size:
        await log.append(entries)
    elif [log.read(journal.log_size + i) for i in range(min(len(entries), log.size - journal.log_size))] != entries:
        raise LogWentOn(f"Entry {journal.log_size} of the log is not the ceremony's.")
    if sign is None:
        return

    async def sign_note(message: bytes) -> bytes:
        return sign(message)

    await log.publish_checkpoint(sign_note)


def _replace(target: Path, sha256: str) -> None:
    new = new_file(target)
    if new.exists():
        if sha256_hex(new.read_bytes()) != sha256:
            raise StagedFileMissing(f"{new} is not what the ceremony made.")
        os.replace(new, target)
        sync_directory(target.parent)
    elif not target.exists() or sha256_hex(target.read_bytes()) != sha256:
        raise StagedFileMissing(f"{target} is not what the ceremony made.")
