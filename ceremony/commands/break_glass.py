"""`hsmpub-ceremony break-glass`."""

from __future__ import annotations

from pathlib import Path

from ceremony.commands.app import HomeOption, app
from ceremony.commands.standing import CeremonyArgument, DryRun, Identities, Shares, at_hand, hold_or_rehearse
from ceremony.standing.break_glass import BREAK_GLASS


@app.command(name="break-glass")
def break_glass(
    ceremony: CeremonyArgument, home: HomeOption = Path("home"), share: Shares = None, identity: Identities = None,
    dry_run: DryRun = False,
) -> None:  # fmt: skip
    """Put a policy or a roster in force with a quorum of unseal shares, where approvals no longer can."""
    hold_or_rehearse(BREAK_GLASS, ceremony, home, at_hand(share, identity), dry_run)
