"""What one standing ceremony is: its file, the papers that the file names, and what it does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic

from ceremony.standing.file import File
from ceremony.standing.held import Held
from ceremony.standing.quorum import AtHand
from ceremony.standing.stand import Layout, Stand


@dataclass(frozen=True)
class Papers(Generic[File]):
    """Everything that people reviewed. text: of the ceremony file; named: other texts that it names, by their use."""

    text: str
    file: File
    named: Mapping[str, str]


@dataclass(frozen=True)
class Kind(Generic[File]):
    """A ceremony.

    Attributes:
        name: as in the file, the log and the command.
        form: schema of the file.
        run: does it, up to `held.finish`. Called again with the same papers if it was killed after `held.act`:
            whatever comes after that must see what was done already (`held.resumed`).
        papers: path of each text that the file names, by its use.
        prepare: for a ceremony that follows another: makes a rehearsal's stand ready for it. Takes the stand, the
            papers, the real home's layout and the clock; returns papers and shares for the stand.
    """

    name: str
    form: type[File]
    run: Callable[[Held, Papers[File], AtHand], None]
    papers: Callable[[File], Mapping[str, str]] = lambda file: {}
    prepare: Callable[[Stand, Papers[File], Layout, Callable[[], int]], tuple[Papers[File], AtHand]] | None = None


AnyKind = Kind[Any]
