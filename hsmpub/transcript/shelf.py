"""Where a running service puts the evidence of its drills: `ceremonies/drill-<number>-<quorum>/`, never overwritten."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from pathlib import Path

from hsmpub.errors import Unavailable

_NUMBERED = re.compile(r"drill-([0-9]{1,9})-.+")


class EvidenceNotWritten(Unavailable):
    advice = "See to the folder 'ceremonies' of the home: it must be there, the keeper's own, and have room."


def put_transcript(shelf: Path, quorum: str, transcript: bytes) -> Path:
    """Writes `drill-<number>-<quorum>/transcript.json` durably, under the next number. Returns its path.

    Raises:
        EvidenceNotWritten: nothing stays of it.
    """
    try:
        folder = _next_folder(shelf, quorum)
    except OSError as error:
        raise EvidenceNotWritten(f"No folder can be made in {shelf.name}: {error.strerror}.") from None
    path = folder / "transcript.json"
    try:
        _write(path, transcript)
        for directory in (folder, shelf):
            _sync(directory)
    except OSError as error:
        take_back(path)
        raise EvidenceNotWritten(f"The transcript cannot be written: {error.strerror}.") from None
    return path


def take_back(transcript: Path) -> None:
    """Removes what `put_transcript` wrote: the log did not take it."""
    shutil.rmtree(transcript.parent, ignore_errors=True)


def _next_folder(shelf: Path, quorum: str) -> Path:
    numbers = [int(found[1]) for path in shelf.iterdir() if (found := _NUMBERED.fullmatch(path.name))]
    for number in range(max(numbers, default=0) + 1, 10**9):
        folder = shelf / f"drill-{number}-{quorum}"
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o755)
            return folder
    raise OSError(0, "too many drills")


def _write(path: Path, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    with open(fd, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
