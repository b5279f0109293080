"""A target on its way into the repository: copied to the name under which clients ask for it."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from tuf.api.metadata import TargetFile

from hsmpub.artifact.plain_file import open_plain
from hsmpub.client.outputs import NotWritten
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
        with open_plain(source) as file, passing.open("xb") as copy:
            while piece := file.read(_PIECE):
                digest.update(piece)
                length += len(piece)
                copy.write(piece)
            copy.flush()
            os.fsync(copy.fileno())
        passing.replace(folder / f"{digest.hexdigest()}.{source.name}")
    except OSError as e:
        raise NotWritten(f"{source} cannot be copied: {e.strerror}.") from None
    finally:
        passing.unlink(missing_ok=True)
    return TargetFile(length, {"sha256": digest.hexdigest()}, source.name)
