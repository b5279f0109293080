"""`hsmpub-ceremony pin-change` and `so-pin-change`."""

from __future__ import annotations

from pathlib import Path

from ceremony.commands.app import HomeOption, app
from ceremony.commands.standing import (
    CeremonyArgument,
    DryRun,
    Identities,
    RecoveryIdentities,
    RecoveryShares,
    Shares,
    at_hand,
    hold_or_rehearse,
)
from ceremony.standing.pin_change import PIN_CHANGE, SO_PIN_CHANGE


@app.command(name="pin-change")
def pin_change(
    ceremony: CeremonyArgument, home: HomeOption = Path("home"), share: Shares = None, identity: Identities = None,
    dry_run: DryRun = False,
) -> None:  # fmt: skip
    """Give the token a new random PIN; the holders' shares stay good."""
    hold_or_rehearse(PIN_CHANGE, ceremony, home, at_hand(share, identity), dry_run)


@app.command(name="so-pin-change")
def so_pin_change(
    ceremony: CeremonyArgument, home: HomeOption = Path("home"), share: Shares = None, identity: Identities = None,
    recovery_share: RecoveryShares = None, recovery_identity: RecoveryIdentities = None, dry_run: DryRun = False,
) -> None:  # fmt: skip
    """Give the token's security officer a new random PIN, sealed to the recovery quorum; takes both quorums."""
    shares = at_hand(share, identity, recovery_share, recovery_identity)
    hold_or_rehearse(SO_PIN_CHANGE, ceremony, home, shares, dry_run)
