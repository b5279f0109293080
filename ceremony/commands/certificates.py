"""`hsmpub-ceremony csr` and `certificate-import`."""

from __future__ import annotations

from pathlib import Path

from ceremony.commands.app import HomeOption, app, console
from ceremony.commands.standing import CeremonyArgument, DryRun, Identities, Shares, at_hand, hold_or_rehearse
from ceremony.standing.certificates import CERTIFICATE_IMPORT, CSR


@app.command(name="csr")
def csr(
    ceremony: CeremonyArgument, home: HomeOption = Path("home"), share: Shares = None, identity: Identities = None,
    dry_run: DryRun = False,
) -> None:  # fmt: skip
    """Make a signing request for a code-signing CA, signed in the HSM."""
    if hold_or_rehearse(CSR, ceremony, home, at_hand(share, identity), dry_run) is not None:
        console().print("Send the CA the .csr; what comes back goes in by 'hsmpub-ceremony certificate-import'.")


@app.command(name="certificate-import")
def certificate_import(
    ceremony: CeremonyArgument, home: HomeOption = Path("home"), share: Shares = None, identity: Identities = None,
    dry_run: DryRun = False,
) -> None:  # fmt: skip
    """Check a CA's certificates for a key, and record them with it.

    A rehearsal has other keys: it checks all of a chain, but not that it is for this key.
    """
    hold_or_rehearse(CERTIFICATE_IMPORT, ceremony, home, at_hand(share, identity), dry_run)
