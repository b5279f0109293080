"""`hsmpub-ceremony restore`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from ceremony.backup_check import Backup, open_backup
from ceremony.commands.app import CardsOption, HomeOption, TrustOption, app, console, now
from ceremony.file import load_ceremony_file
from ceremony.gather import ShareAtHand
from ceremony.inputs import read_checkpoint_note, read_file, read_shares, read_trust
from ceremony.lost_entries import what_follows
from ceremony.plan import read_text
from ceremony.progress import step_printer
from ceremony.restore import run_restore
from ceremony.restore_rehearsal import prove_shares, rehearse_restore
from hsmpub.model.trust import Trust
from hsmpub.sandbox import harden

_MAX_ENTRIES = 1 << 30


@app.command()
def restore(
    backup: Annotated[Path, typer.Argument(help="A file of 'hsmpub-ceremony backup'.")],
    trust: TrustOption,
    home: HomeOption = Path("home"),
    share: Annotated[
        list[str] | None, typer.Option("--share", help="HOLDER=FILE: a recovery share; FILE - is stdin.")
    ] = None,
    identity: Annotated[
        list[str] | None, typer.Option("--identity", help="HOLDER=FILE: the holder's private key, age or SSH.")
    ] = None,
    cards: CardsOption = None,
    ceremony: Annotated[Path | None, typer.Option("--ceremony", help="New unseal holders, new HSM.")] = None,
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", help="Newest checkpoint known elsewhere: the backup must reach it.")
    ] = None,
    entries: Annotated[
        Path | None, typer.Option("--entries", help="Missing entries, as GET /log/entries serves them.")
    ] = None,
    accept_loss: Annotated[
        bool, typer.Option("--accept-loss", help="Go on without the entries that --checkpoint shows to be missing.")
    ] = False,
    vendor_token: Annotated[
        bool, typer.Option("--vendor-token", help="The HSM's maker's means have restored the token; set a new PIN.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Rehearse with throw-away keys; shares given are proven, not used.")
    ] = False,
) -> None:
    """Restore the keys into a fresh token, with a recovery quorum; the public keys stay the same.

    A rehearsal prints its transcript on stdout, and its steps on stderr.
    """
    pins = read_trust(trust)
    file = None if ceremony is None else load_ceremony_file(read_text(ceremony))
    known = None if checkpoint is None else read_checkpoint_note(checkpoint, pins)
    brought = None if entries is None else read_file(entries, _MAX_ENTRIES)
    protections = harden("keeper", network=file is not None and file.hsm.network and not dry_run)
    shares = read_shares(share or [], identity or [])
    say = console(stderr=dry_run)
    with open_backup(backup, pins, known=known) as checked:
        after = what_follows(checked, known, brought, accept_loss=accept_loss)
        if dry_run:
            _rehearse(checked, pins, shares, protections)
            return
        if known is None:
            say.print("No checkpoint from elsewhere was given: entries after the backup would be missing unseen.")
        done = run_restore(
            checked, pins, shares, home, now=now, file=file, after=after, vendor_token=vendor_token,
            told=step_printer(say), protections=protections, cards=cards,
        )  # fmt: skip
    say.print(f"\n{pins.service} is in {done.home}, sealed, in epoch {done.epoch}.")
    say.print(f"Give each holder their new share from {done.home}/restore-{done.epoch}/shares;")
    say.print("shares of earlier epochs open nothing any more. Never start the old instance again.")
    say.print(f"Then start it ('hsmpub serve --home {done.home}'), unseal it, and take a new backup.")


def _rehearse(backup: Backup, trust: Trust, shares: Sequence[ShareAtHand], protections: Mapping[str, str]) -> None:
    out = console(stderr=True)
    if shares:
        proven = prove_shares(backup, trust, shares, now=now())
        out.print(f"The shares open the backup: {', '.join(proven)}. Nothing was released.")
    done = rehearse_restore(backup, trust, now=now, told=step_printer(out), protections=protections)
    sys.stdout.write(done.transcript.decode())
    out.print("Rehearsed with throw-away keys; nothing was kept.")
