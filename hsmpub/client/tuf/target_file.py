"""A target on its way into the repository: copied to the name under which clients ask for it."""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from pathlib import Path

from tuf.api.metadata import TargetFile

from hsmpub.client.outputs import NotWritten
from hsmpub.client.sha256 import NotAPlainFile
from hsmpub.model.submission import check_file_name

_PIECE = 1 << 20


def take_target(folder: Path, source: Path) -> TargetFile:
    """Copies a file to where clients look for it, hashed as it is copied; harmless until metadata names it.

    Raises:
        HostileName, NotAPlainFile, NotWritten.
    """
    check_file_name(source.name)
    passing = folder / f".{secrets.token_hex(8)}"
    digest, length = hashlib.sha256(), 0
    try:
        fd = os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise NotAPlainFile(f"{source.name!r} is not a regular file.")
            with passing.open("xb") as copy:
                while piece := os.read(fd, _PIECE):
                    digest.update(piece)
                    length += len(piece)
                    copy.write(piece)
                copy.flush()
                os.fsync(copy.fileno())
        finally:
            os.close(fd)
        passing.replace(folder / f"{digest.hexdigest()}.{source.name}")
    except OSError as e:
        raise NotWritten(f"{source} cannot be copied: {e.strerror}.") from None
    finally:
        passing.unlink(missing_ok=True)
    return TargetFile(length, {"sha256": digest.hexdigest()}, source.name)
