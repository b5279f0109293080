"""`hsmpub-ceremony csr`, `certificate-import` and `openpgp-subkey`."""

from __future__ import annotations

from pathlib import Path

from ceremony.commands.app import HomeOption, app, console
from ceremony.commands.standing import CeremonyArgument, DryRun, Identities, Shares, at_hand, hold_or_rehearse
from ceremony.standing.certificates import CERTIFICATE_IMPORT, CSR
from ceremony.standing.openpgp_subkey import OPENPGP_SUBKEY


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


@app.command(name="openpgp-subkey")
def openpgp_subkey(
    ceremony: CeremonyArgument, home: HomeOption = Path("home"), share: Shares = None, identity: Identities = None,
    dry_run: DryRun = False,
) -> None:  # fmt: skip
    """Make an OpenPGP certificate whose primary key certifies and whose subkey signs; or revoke a subkey."""
    if hold_or_rehearse(OPENPGP_SUBKEY, ceremony, home, at_hand(share, identity), dry_run) is not None:
        console().print(
            "Publish the .asc files; users import them with 'gpg --import', those of version 6 (.v6.asc) with"
            " programs that know it."
        )
