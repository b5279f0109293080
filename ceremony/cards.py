"""Where the share cards of a ceremony go: new files for their owner alone, outside the home, written by the child."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ceremony.place import OutputExists, OutputNotWritten
from hsmpub.errors import Conflict
from hsmpub.shares.plan import QuorumPlan
from hsmpub.shares.recipient import PAPER
from hsmpub.shares.record import Purpose
from hsmpub.shares.split import Cards, CardsMissing


class CardsInHome(Conflict):
    advice = "Choose a folder outside the home, best one in memory: what lies in the home goes into every backup."


@contextmanager
def open_cards(
    folder: Path | None, home: Path, service: str, quorums: Mapping[Purpose, QuorumPlan]
) -> Iterator[dict[Purpose, Cards]]:
    """Opens a new file for the card of each holder with paper, `PURPOSE-HOLDER.pdf`; a ceremony that fails leaves none.

    folder: of --cards; None if it was not said.

    Raises:
        CardsMissing, CardsInHome, OutputExists, OutputNotWritten: before anything is done.
    """
    wanted = [(p, h.name) for p, plan in quorums.items() for h in plan.holders if h.recipient == PAPER]
    if wanted and (folder is None or not folder.is_dir()):
        names = ", ".join(name for _, name in wanted)
        raise CardsMissing(f"{names} will hold a share on paper, and there is no folder for the card.")
    if wanted and folder is not None and folder.resolve().is_relative_to(home.resolve()):
        raise CardsInHome(f"{folder} is in the home.")
    files: dict[Purpose, dict[str, int]] = {purpose: {} for purpose in quorums}
    paths: list[Path] = []
    try:
        for purpose, name in wanted:
            assert folder is not None
            path = folder / f"{purpose}-{name}.pdf"
            files[purpose][name] = _open_new(path)
            paths.append(path)
        yield {purpose: Cards(service, files[purpose]) for purpose in quorums}
        for fd in _descriptors(files):
            os.fsync(fd)
    except BaseException:
        for path in paths:  # cards of a set that never came into force
            with contextlib.suppress(OSError):
                path.unlink()
        raise
    finally:
        for fd in _descriptors(files):
            os.close(fd)


def _open_new(path: Path) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise OutputExists(f"{path} exists already.") from None
    except OSError as error:
        raise OutputNotWritten(f"{path} cannot be made: {error.strerror}.") from None


def _descriptors(files: Mapping[Purpose, Mapping[str, int]]) -> list[int]:
    return [fd for by_name in files.values() for fd in by_name.values()]
