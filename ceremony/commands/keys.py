"""`hsmpub-ceremony key-generate`, `key-rotate`, `key-retire` and `key-destroy`."""

from __future__ import annotations

from pathlib import Path

from ceremony.commands.app import HomeOption, app, console
from ceremony.commands.standing import CeremonyArgument, DryRun, Identities, Shares, at_hand, hold_or_rehearse
from ceremony.standing.key_birth import KEY_GENERATE, KEY_ROTATE
from ceremony.standing.key_end import KEY_DESTROY, KEY_RETIRE
from ceremony.standing.kind import AnyKind

_ROTATED = "Adopt a policy that names the new keys. To those who encrypt, hand on what 'hsmpub backup-key' prints."
_THEN = "Users of 'hsmpub verify' and 'hsmpub policy check' bring their pins up to date: 'hsmpub trust update'."


@app.command(name="key-generate")
def key_generate(
    ceremony: CeremonyArgument, home: HomeOption = Path("home"), share: Shares = None, identity: Identities = None,
    dry_run: DryRun = False,
) -> None:  # fmt: skip
    """Make new keys, backed up at birth, with a quorum of unseal shares."""
    _hold(KEY_GENERATE, ceremony, home, share, identity, dry_run, "A policy that names them can be adopted now.")


@app.command(name="key-rotate")
def key_rotate(
    ceremony: CeremonyArgument, home: HomeOption = Path("home"), share: Shares = None, identity: Identities = None,
    dry_run: DryRun = False,
) -> None:  # fmt: skip
    """Put new keys in the place of old ones, which sign nothing from then on."""
    _hold(KEY_ROTATE, ceremony, home, share, identity, dry_run, _ROTATED)


@app.command(name="key-retire")
def key_retire(
    ceremony: CeremonyArgument, home: HomeOption = Path("home"), share: Shares = None, identity: Identities = None,
    dry_run: DryRun = False,
) -> None:  # fmt: skip
    """End the signing of keys; what they signed still verifies."""
    _hold(KEY_RETIRE, ceremony, home, share, identity, dry_run, "Adopt a policy that does not name them.")


@app.command(name="key-destroy")
def key_destroy(
    ceremony: CeremonyArgument, home: HomeOption = Path("home"), share: Shares = None, identity: Identities = None,
    dry_run: DryRun = False,
) -> None:  # fmt: skip
    """Destroy retired keys in the HSM, and their wrapped backups in the home, for good."""
    _hold(KEY_DESTROY, ceremony, home, share, identity, dry_run, "Older backups still hold them: destroy those, too.")


def _hold(
    kind: AnyKind, ceremony: Path, home: Path, share: list[str] | None, identity: list[str] | None, dry_run: bool,
    then: str,
) -> None:  # fmt: skip
    if hold_or_rehearse(kind, ceremony, home, at_hand(share, identity), dry_run) is not None:
        console().print(f"{then}\n{_THEN}")
