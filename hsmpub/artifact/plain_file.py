"""Opening files that people name: plain ones only, and without waiting for anything."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from hsmpub.errors import Invalid


class NotAPlainFile(Invalid):
    advice = "Name files: those in a folder are FOLDER/*, and what comes through a pipe is saved first."


def open_plain(path: Path) -> BinaryIO:
    """Opens for reading, unbuffered. Symbolic links are followed.

    Devices are not opened at all, for that alone can have effects. What takes the file's place in between is opened
    without waiting (a pipe would have its readers wait for writers), and refused.

    Raises:
        NotAPlainFile: a folder, pipe, socket or device, or a link to one.
        OSError: it cannot be read.
    """
    _check(path, os.stat(path))
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
    try:
        _check(path, os.fstat(fd))
        return os.fdopen(fd, "rb", buffering=0)
    except BaseException:
        os.close(fd)
        raise


def _check(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = next((words for is_it, words in _KINDS if is_it(found.st_mode)), "of no kind that can be read")
        raise NotAPlainFile(f"{path.name or str(path)!r} is not a regular file: it is {kind}.")


_KINDS = (
    (stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"),
)  # fmt: skip
