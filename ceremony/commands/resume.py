"""`hsmpub-ceremony resume`."""

from __future__ import annotations

from pathlib import Path

from ceremony.commands.app import HomeOption, app, console, now
from ceremony.commands.standing import Identities, RecoveryIdentities, RecoveryShares, Shares, at_hand
from ceremony.progress import step_printer
from ceremony.standing.hold import resume
from ceremony.standing.kinds import KINDS
from hsmpub.config import load_config
from hsmpub.home import Home
from hsmpub.sandbox import harden

_SAID = {
    "rolled back": "was rolled back: it had changed nothing, and everything is as it was before.",
    "resumed": "was resumed and held to its end.",
    "finished": "was finished: everything had been made and signed. The next unseal signs a checkpoint over it.",
}


@app.command(name="resume")
def resume_ceremony(
    home: HomeOption = Path("home"), share: Shares = None, identity: Identities = None,
    recovery_share: RecoveryShares = None, recovery_identity: RecoveryIdentities = None,
) -> None:  # fmt: skip
    """End a ceremony that was interrupted: it is rolled back or finished, and which of them is said.

    Shares are needed only if it had begun to change the HSM; a refusal says so.
    """
    harden("keeper", network=load_config(Home(home.resolve())).hsm.network)
    say = console()
    shares = at_hand(share, identity, recovery_share, recovery_identity)
    ended = resume(KINDS, Home(home.resolve()), shares, now=now, told=step_printer(say))
    say.print(f"The ceremony {ended.name} {_SAID[ended.how]}")
