"""`hsmpub-ceremony restore`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ceremony.backup_check import open_backup
from ceremony.commands.app import CardsOption, HomeOption, TrustOption, app, console, now
from ceremony.file import load_ceremony_file
from ceremony.inputs import read_checkpoint_note, read_shares, read_trust
from ceremony.plan import read_text
from ceremony.progress import step_printer
from ceremony.restore import run_restore
from hsmpub.sandbox import harden


@app.command()
def restore(
    backup: Annotated[Path, typer.Argument(help="A file of 'hsmpub-ceremony backup'.")],
    trust: TrustOption,
    share: Annotated[list[str], typer.Option("--share", help="HOLDER=FILE: a recovery share; FILE - is stdin.")],
    home: HomeOption = Path("home"),
    identity: Annotated[
        list[str] | None, typer.Option("--identity", help="HOLDER=FILE: the holder's private key, age or SSH.")
    ] = None,
    cards: CardsOption = None,
    ceremony: Annotated[Path | None, typer.Option("--ceremony", help="New unseal holders, new HSM.")] = None,
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", help="Newest checkpoint known elsewhere: the backup must reach it.")
    ] = None,
) -> None:
    """Restore the keys into a fresh token, with a recovery quorum; the public keys stay the same."""
    pins = read_trust(trust)
    file = None if ceremony is None else load_ceremony_file(read_text(ceremony))
    known = None if checkpoint is None else read_checkpoint_note(checkpoint, pins)
    protections = harden("keeper", network=file is not None and file.hsm.network)
    shares = read_shares(share, identity or [])
    say = console()
    with open_backup(backup, pins, known=known) as checked:
        done = run_restore(
            checked,
            pins,
            shares,
            home,
            now=now,
            file=file,
            told=step_printer(say),
            protections=protections,
            cards=cards,
        )
    say.print(f"\n{pins.service} is in {done.home}, sealed, in epoch {done.epoch}.")
    say.print(f"Give each holder their new share from {done.home}/restore-{done.epoch}/shares;")
    say.print("shares of earlier epochs open nothing any more. Never start the old instance again.")
