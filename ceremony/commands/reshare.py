"""`hsmpub-ceremony reshare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ceremony.commands.app import CardsOption, HomeOption, app, console
from ceremony.commands.standing import (
    CeremonyArgument,
    Confirmations,
    DryRun,
    Identities,
    RecoveryIdentities,
    RecoveryShares,
    Shares,
    at_hand,
    hold_or_rehearse,
)
from ceremony.standing.reshare import RESHARE
from ceremony.standing.reshare_finish import RESHARE_FINISH


@app.command()
def reshare(
    ceremony: CeremonyArgument, home: HomeOption = Path("home"), share: Shares = None, identity: Identities = None,
    recovery_share: RecoveryShares = None, recovery_identity: RecoveryIdentities = None,
    finish: Annotated[
        bool, typer.Option("--finish", help="The second step: with the first one's finish.toml, and new shares.")
    ] = False,
    confirmation: Confirmations = None, cards: CardsOption = None,
    dry_run: DryRun = False,
) -> None:  # fmt: skip
    """Give new sets of shares to new or the same holders, in two steps; the old set dies in the second."""
    shares = at_hand(share, identity, recovery_share, recovery_identity, confirmation, cards)
    done = hold_or_rehearse(RESHARE_FINISH if finish else RESHARE, ceremony, home, shares, dry_run)
    if done is None:
        return
    say = console()
    if finish:
        say.print("The old shares open nothing any more. Take a backup now, and destroy those from before.")
        return
    say.print(
        f"Give each holder their file from {done.folder}; they run 'share check --confirmation' and 'hsmpub confirm'."
    )
    if cards is not None:
        say.print(f"Print the cards in {cards}, let each holder check the paper, then destroy the files.")
    say.print("The old shares stay good until the second step, with shares of the new sets and all confirmations:")
    say.print(f"    hsmpub-ceremony reshare --finish {done.folder}/finish.toml", markup=False)
