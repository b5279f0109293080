"""What the commands of standing ceremonies share: their options, and how one is held or rehearsed."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from ceremony.commands.app import console, now
from ceremony.inputs import read_file, read_shares
from ceremony.progress import step_printer
from ceremony.standing.hold import Done, hold, read_papers
from ceremony.standing.kind import AnyKind
from ceremony.standing.quorum import AtHand
from ceremony.standing.rehearsal import rehearse
from ceremony.standing.stand import layout_of
from hsmpub.config import load_config
from hsmpub.home import Home
from hsmpub.sandbox import harden
from hsmpub.shares.confirmation import load_confirmation

CeremonyArgument = Annotated[Path, typer.Argument(help="The reviewed ceremony file (TOML).")]
Shares = Annotated[
    list[str] | None, typer.Option("--share", help="HOLDER=FILE: an unseal share; FILE - is stdin.")
]  # fmt: skip
RecoveryShares = Annotated[
    list[str] | None, typer.Option("--recovery-share", help="HOLDER=FILE: a recovery share; FILE - is stdin.")
]
Identities = Annotated[
    list[str] | None, typer.Option("--identity", help="HOLDER=FILE: the holder's private key, age or SSH.")
]
RecoveryIdentities = Annotated[
    list[str] | None, typer.Option("--recovery-identity", help="HOLDER=FILE: a recovery holder's private key.")
]
Confirmations = Annotated[
    list[Path] | None, typer.Option("--confirmation", help="A file of 'share check', one for each holder of a new set.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Rehearse with throw-away keys and holders; change nothing, take no share.")
]


def at_hand(
    share: list[str] | None, identity: list[str] | None, recovery_share: list[str] | None = None,
    recovery_identity: list[str] | None = None, confirmation: list[Path] | None = None, cards: Path | None = None,
) -> AtHand:  # fmt: skip
    """What the options bring.

    Raises:
        OptionMalformed, CeremonyInputMissing, CeremonyInputUnreadable, ConfirmationMalformed.
    """
    return AtHand(
        read_shares(share or [], identity or []),
        read_shares(recovery_share or [], recovery_identity or []),
        [load_confirmation(read_file(path, 1 << 16)) for path in confirmation or []],
        cards,
    )


def hold_or_rehearse(kind: AnyKind, file: Path, home: Path, shares: AtHand, dry_run: bool) -> Done | None:
    """The body of a command: holds the ceremony, or rehearses it and prints its transcript."""
    place = Home(home.resolve())
    papers = read_papers(file, kind)
    if dry_run:
        layout = layout_of(place)
        out = console(stderr=True)
        protections = harden("keeper")
        rehearsed = rehearse(kind, papers, layout, now=now, told=step_printer(out), protections=protections)
        sys.stdout.write(rehearsed.transcript.decode())
        out.print("Rehearsed; nothing was kept.")
        return None
    protections = harden("keeper", network=load_config(place).hsm.network)
    out = console()
    done = hold(kind, papers, place, shares, now=now, told=step_printer(out), protections=protections)
    out.print(f"\nDone; transcript and outputs are in {done.folder}. Every participant keeps a copy of the transcript.")
    out.print(f"    hsmpub serve --home {shlex.quote(str(place.root))}", markup=False)
    return done
