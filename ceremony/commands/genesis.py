"""`hsmpub-ceremony genesis`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from ceremony.commands.app import CardsOption, HomeOption, app, console, now
from ceremony.example_keys import check_own_keys
from ceremony.genesis import run_genesis
from ceremony.plan import load_plan
from ceremony.progress import step_printer
from ceremony.rehearsal import rehearse_genesis
from hsmpub.sandbox import harden


@app.command()
def genesis(
    ceremony: Annotated[Path, typer.Argument(help="The reviewed ceremony file (TOML).")],
    home: HomeOption = Path("home"),
    cards: CardsOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Rehearse with throw-away keys; leave nothing.")] = False,
) -> None:
    """Make the keys, the quorums and the home of a new service.

    A rehearsal prints its transcript on stdout, and its steps on stderr.
    """
    plan = load_plan(ceremony)
    protections = harden("keeper", network=plan.file.hsm.network and not dry_run)
    out = console(stderr=dry_run)
    if dry_run:
        rehearsed = rehearse_genesis(plan, now=now, told=step_printer(out), protections=protections)
        sys.stdout.write(rehearsed.transcript.decode())
        out.print("Rehearsed; nothing was kept.")
        return
    check_own_keys(plan)
    done = run_genesis(plan, home, now=now, told=step_printer(out), protections=protections, cards=cards)
    out.print(f"\n{done.trust.service} is in {done.home}, sealed.")
    out.print(f"Give each holder their file from {done.home}/genesis/shares or genesis/recovery.")
    if cards is not None:
        out.print(
            f"Print the cards in {cards}, let each holder check the paper with 'share check', then destroy the files."
        )
    out.print(
        "Read the words of the fingerprints aloud; every participant keeps genesis/transcript.json and trust.json."
    )
    out.print("Then start it, and each holder hands in their share, any order, until enough are in:")
    out.print(f"    hsmpub serve --home {shlex.quote(str(done.home))}", markup=False)
    out.print("    hsmpub unseal --holder NAME --share NAME.age --identity PRIVATE-KEY --trust trust.json")
