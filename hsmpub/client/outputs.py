"""Files that the service made, written beside the work: checked name, whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from hsmpub.errors import Unavailable
from hsmpub.model.submission import check_file_name


class NotWritten(Unavailable):
    advice = "Make room or choose another folder, then do it again."


def check_folder(folder: Path) -> None:
    """Asked before anything is signed, for what is signed is logged, whether it can be written or not.

    Raises:
        NotWritten: nothing can be written there.
    """
    if not folder.is_dir():
        raise NotWritten(f"{folder} is no folder.", next_step="Make it or name another; nothing was signed.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise NotWritten(f"Nothing may be written in {folder}.", next_step="Name another; nothing was signed.")


def write_whole(folder: Path, name: str, data: bytes) -> Path:
    """Writes `folder/name` atomically; an older file of that name is replaced.

    Raises:
        HostileName: the service gave a name that is no plain base name.
        NotWritten: the disk refused.
    """
    check_file_name(name)
    target, passing = folder / name, folder / f".{name[:180]}.{secrets.token_hex(6)}"
    try:
        fd = os.open(passing, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            passing.replace(target)
        except BaseException:
            passing.unlink(missing_ok=True)
            raise
    except OSError as e:
        raise NotWritten(f"{target} cannot be written: {e.strerror}.") from None
    return target
