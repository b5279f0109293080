"""Files of a release that are at hand, compared with what its receipt says of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hsmpub.client.sha256 import held_hash
from hsmpub.client.upload import FileUnreadable
from hsmpub.errors import Invalid
from hsmpub.formats.sha256state import FileHash

if TYPE_CHECKING:
    from hsmpub.receipt import Report


class NotOfTheRelease(Invalid):
    advice = "Name files of this release, as they were uploaded for it."


class AtHand(NamedTuple):
    path: Path
    hash: FileHash


def files_at_hand(report: Report, paths: Sequence[Path]) -> dict[str, AtHand]:
    """Each of the files, by the name that the release has for it.

    Raises:
        NotOfTheRelease; FileUnreadable, NotAPlainFile, FileChanged.
    """
    wanted, found = {subject.name: subject.sha256 for subject in report.subjects}, {}
    for path in paths:
        if path.name not in wanted:
            raise NotOfTheRelease(f"The release has no file {path.name!r}.")
        try:
            held = held_hash(path)
        except OSError as e:
            raise FileUnreadable(f"{path} cannot be read: {e.strerror}.") from None
        if held.digest().hex() != wanted[path.name]:
            raise NotOfTheRelease(f"{path} is not the file of that name that was signed: its SHA-256 differs.")
        found[path.name] = AtHand(path, held)
    return found
