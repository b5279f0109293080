"""Holding a ceremony, and ending one that was killed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ceremony.file_rules import WrongCeremonyValue
from ceremony.plan import read_text
from ceremony.standing.commit import commit, roll_back, unfinished_folder
from ceremony.standing.file import load_standing_file
from ceremony.standing.held import Held, Told
from ceremony.standing.journal import Journal
from ceremony.standing.kind import AnyKind, Papers
from ceremony.standing.opened import open_home
from ceremony.standing.quorum import AtHand
from ceremony.witness_table import witness_facts
from hsmpub.home import Home
from hsmpub.model.digest import sha256_hex


class FileOfAnotherService(WrongCeremonyValue):
    advice = "Name the home of that service, or write a file for this one; nothing was done."


@dataclass(frozen=True)
class Done:
    """What came of it. folder: with the outputs; transcript: its exact bytes."""

    name: str
    folder: Path
    transcript: bytes


@dataclass(frozen=True)
class Ended:
    """What `resume` did with a ceremony that was killed."""

    name: str
    how: Literal["rolled back", "resumed", "finished"]


def read_papers(path: Path, kind: AnyKind) -> Papers[Any]:
    """The ceremony file and what it names; paths count from its folder.

    Raises:
        CeremonyInputMissing, CeremonyInputUnreadable, CeremonyFileRefused, InFile.
    """
    text = read_text(path)
    file = load_standing_file(text, kind.name, kind.form)
    return Papers(text, file, {use: read_text(path.parent / name) for use, name in kind.papers(file).items()})


def hold(
    kind: AnyKind,
    papers: Papers[Any],
    home: Home,
    shares: AtHand,
    *,
    now: Callable[[], int],
    told: Told = lambda step: None,
    protections: Mapping[str, str] | None = None,
    rehearsal: bool = False,
) -> Done:
    """Runs a ceremony to its end. The holders' private keys are wiped.

    Raises:
        The rules of open_home, of the ceremony's kind and of a refused share: the home is as it was before, or the
        refusal's next step says that `resume` ends it.
    """
    try:
        with open_home(home) as opened:
            if papers.file.service != opened.trust.service:
                raise FileOfAnotherService(f"the home is of the service {opened.trust.service!r}.", line=1)
            held = Held.begin(opened, kind.name, now, told, rehearsal)
            try:
                held.recorder.record(
                    "ceremony file", sha256=sha256_hex(papers.text.encode()),
                    papers={use: sha256_hex(text.encode()) for use, text in papers.named.items()},
                    log_size=opened.log.size, log_root=opened.log.root.hex(), protections=dict(protections or {}),
                    **witness_facts(papers.file.witness),
                )  # fmt: skip
                held.output("ceremony.toml", papers.text.encode())
                for use, text in papers.named.items():
                    held.output(f"{use}.toml", text.encode())
                kind.run(held, papers, shares)
            except BaseException as error:
                held.give_up(error)
                raise
            name = f"{held.number}-{kind.name}"
            return Done(name, home.ceremonies / name, held.transcript)
    finally:
        shares.wipe()


def resume(
    kinds: Mapping[str, AnyKind], home: Home, shares: AtHand, *, now: Callable[[], int],
    told: Told = lambda step: None,
) -> Ended:  # fmt: skip
    """Ends a ceremony that was killed: rolls it back, goes on with it, or finishes what was signed already.

    Raises:
        NothingToResume, JournalMalformed, the rules of open_home.
        SharesNeeded, TooFewHolders and the rules of a refused share: it had begun to change the HSM, and takes its
        quorum again.
    """
    try:
        with open_home(home, resuming=True) as opened:
            journal = opened.journal
            assert journal is not None
            if journal.phase == "preparing":
                roll_back(home, journal)
                return Ended(journal.name, "rolled back")
            if journal.phase == "committing":
                commit(home, journal, opened.log, None)
                return Ended(journal.name, "finished")
            kind = kinds[journal.ceremony]
            held = Held.again(opened, journal, now, told)
            try:
                kind.run(held, _kept_papers(home, journal, kind), shares)
            except BaseException as error:
                held.give_up(error)
                raise
            return Ended(journal.name, "resumed")
    finally:
        shares.wipe()


def _kept_papers(home: Home, journal: Journal, kind: AnyKind) -> Papers[Any]:
    folder = unfinished_folder(home, journal)
    text = read_text(folder / "ceremony.toml")
    file = load_standing_file(text, kind.name, kind.form)
    return Papers(text, file, {use: read_text(folder / f"{use}.toml") for use in kind.papers(file)})
