"""Folders for as long as a piece of work takes. One whose process was killed is removed by the next work of its kind.

While it is used, a folder is locked (`flock`), and the kernel gives the lock back when its process ends, however it
ends. So a folder that nobody locks is nobody's, and needs no age or process id to tell.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def scratch_folder(
    prefix: str, parent: Path | None = None, *, erase: Callable[[Path], None] = _remove
) -> Iterator[Path]:
    """A new folder of mode 0700, gone at the end.

    Args:
        prefix: says what for; folders of the same prefix whose processes were killed are removed first.
        parent: where; the system's temporary folder if None.
        erase: removes a folder.

    Raises:
        OSError: it cannot be made.
    """
    where = Path(tempfile.gettempdir()) if parent is None else parent
    remove_left(prefix, where, erase=erase)
    folder, lock = _locked(prefix, where)
    try:
        yield folder
    finally:
        erase(folder)
        os.close(lock)


def remove_left(prefix: str, where: Path, *, erase: Callable[[Path], None] = _remove) -> int:
    """Removes this user's folders of that prefix which no process uses. Returns: how many."""
    removed = 0
    name = re.compile(re.escape(prefix) + "[a-z0-9_]{8}")  # as mkdtemp names them, and nothing else
    for path in [path for path in where.iterdir() if name.fullmatch(path.name)]:
        try:
            lock = _open(path)
        except OSError:
            continue  # another user's, no folder, or gone
        try:
            if os.fstat(lock).st_uid == os.geteuid():
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                erase(path)
                removed += 1
        except OSError:
            pass  # in use
        finally:
            os.close(lock)
    return removed


def _locked(prefix: str, where: Path) -> tuple[Path, int]:
    """Made again if somebody who removes what is left took it between its making and its lock."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=where))
        try:
            lock = _open(folder)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        except OSError:
            return folder, lock  # a file system without locks: nobody else can lock it either, and so it stays
        if folder.is_dir():
            return folder, lock
        os.close(lock)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
