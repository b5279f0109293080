"""Where a ceremony builds: beside the home, in a folder that says it is incomplete, moved into place as the last act.

Killed at any moment, a ceremony leaves a whole home or none, and at most `<home>.incomplete` with a file that says so.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Self

from hsmpub.errors import Conflict, Unavailable
from hsmpub.model.digest import sha256_hex

_NOTICE = "INCOMPLETE"
_TEXT = """\
A ceremony was building a home here and did not finish. Nothing in this folder is of use: its PIN is lost.
Remove the folder, and start the ceremony again. With an HSM other than SoftHSM, erase its new token first.
"""


class HomeExists(Conflict):
    advice = "Choose another --home: a ceremony never writes into one that exists."


class CeremonyUnfinished(Conflict):
    advice = "Read the file INCOMPLETE in it, remove the folder, and start the ceremony again."


class OutputExists(Conflict):
    advice = "Outputs are never overwritten: move the file away or choose another name."


class OutputNotWritten(Unavailable):
    advice = "Make room or choose another folder, and start again: nothing was kept."


class Place:
    """A folder in the making, as a context manager: it becomes `home` by `finish`, or is removed.

    Raises:
        HomeExists: `home` exists and is not an empty folder.
        CeremonyUnfinished: an earlier ceremony for this home was killed.
    """

    def __init__(self, home: Path) -> None:
        absolute = Path(os.path.abspath(home))
        self.home = absolute.parent.resolve() / absolute.name
        self._outer = self.home.with_name(self.home.name + ".incomplete")
        self.root = self._outer / "home"

    def __enter__(self) -> Self:
        check_free(self.home)
        try:
            self.home.parent.mkdir(parents=True, exist_ok=True)
            self._outer.mkdir(mode=0o700)
        except FileExistsError:
            raise CeremonyUnfinished(f"{self._outer} is left from a ceremony that did not finish.") from None
        except OSError as error:
            raise OutputNotWritten(f"{self._outer} cannot be made: {error.strerror}.") from None
        write_new(self._outer / _NOTICE, _TEXT.encode())
        self.root.mkdir(mode=0o755)
        return self

    def write(self, path: Path, data: bytes, mode: int = 0o644) -> str:
        """Writes a new file below `root`, durably. Returns: SHA-256, hex.

        Raises:
            OutputExists, OutputNotWritten.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        write_new(path, data, mode)
        return sha256_hex(data)

    def finish(self) -> None:
        """Makes everything durable and moves it to `home`.

        Raises:
            HomeExists, OutputNotWritten: nothing stands at `home` that was not there before.
        """
        sync_tree(self.root)
        try:
            os.rename(self.root, self.home)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise HomeExists(f"{self.home} came into being during the ceremony.") from None
            raise OutputNotWritten(f"{self.home} cannot be made: {error.strerror}.") from None
        sync_directory(self.home.parent)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self._outer, ignore_errors=True)


def check_free(home: Path) -> None:
    """Raises HomeExists unless there is nothing, or an empty folder, at `home`."""
    if home.is_symlink() or (home.exists() and not home.is_dir()):
        raise HomeExists(f"{home} exists already.")
    if home.is_dir() and next(home.iterdir(), None) is not None:
        raise HomeExists(f"{home} exists already and is not empty.")


def write_new(path: Path, data: bytes | memoryview, mode: int = 0o644) -> None:
    """Writes a file that did not exist, durably; a file half written does not stay.

    Raises:
        OutputExists, OutputNotWritten.
    """
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    except FileExistsError:
        raise OutputExists(f"{path} exists already.") from None
    except OSError as error:
        raise OutputNotWritten(f"{path} cannot be made: {error.strerror}.") from None
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        os.fsync(fd)
    except OSError as error:
        with contextlib.suppress(OSError):
            path.unlink()
        raise OutputNotWritten(f"{path} cannot be written: {error.strerror}.") from None
    finally:
        os.close(fd)


def make_folder(path: Path) -> None:
    """A folder with all above it, if it is not there. Raises OutputNotWritten."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputNotWritten(f"{path} cannot be made: {error.strerror}.") from None


def sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_tree(root: Path) -> None:
    """Makes every file and folder below `root` durable."""
    for folder, _, files in os.walk(root):
        for name in files:
            fd = os.open(os.path.join(folder, name), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
        sync_directory(Path(folder))
