"""Reshare, second step: the PINs in the HSM are changed, the new sets of shares are in force, the old ones are dead.

The file is an output of the first step, so that it names the very records that the holders have confirmed:

```toml
ceremony = "reshare-finish"
service = "releases"
reshare = 4                # number of the first step
unseal = "…"               # SHA-256 of the new records
```

1 a quorum of the new shares opens the new PIN and the one in force, each in a box of its own
2 the journal says that the HSM is about to change; then it is changed, PIN by PIN
3 the new records take the place of the old ones, and the log says so

Killed in between, a quorum of the new shares opens both PINs again, whichever of them the token takes.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import StrictInt, StringConstraints

from ceremony.file_rules import MissingCeremonyKey
from ceremony.standing.file import StandingFile
from ceremony.standing.held import Held
from ceremony.standing.kind import Kind, Papers
from ceremony.standing.pin_change import set_pin
from ceremony.standing.quorum import AtHand, open_pin, open_recovery
from ceremony.standing.reshare import record_digest
from hsmpub.errors import Conflict
from hsmpub.hsm.signer import TokenSigner
from hsmpub.model.toml_lines import TomlText
from hsmpub.secret.page import SecretPage
from hsmpub.shares.box import box_of
from hsmpub.shares.pending import PendingSets
from hsmpub.shares.record import dump_record

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}\z")]


class NoReshareWaiting(Conflict):
    advice = "Hold the first step: 'hsmpub-ceremony reshare FILE'."


class ReshareOfAnotherFile(Conflict):
    advice = "Give the finish.toml of the last reshare, whose sets of shares are waiting."


class KeysBornSince(Conflict):
    advice = (
        "Hold the reshare of the recovery quorum again: it would lose keys made since, or bring back destroyed ones."
    )


class FinishFile(StandingFile):
    """reshare: number of the first step; unseal, recovery: SHA-256 of the new records, hex."""

    reshare: StrictInt
    unseal: Digest | None = None
    recovery: Digest | None = None

    def check(self, toml: TomlText) -> None:
        if self.unseal is None and self.recovery is None:
            raise MissingCeremonyKey("neither 'unseal' nor 'recovery' says which record comes in force.", line=1)


def run_finish(held: Held, papers: Papers[FinishFile], shares: AtHand) -> None:
    """Raises NoReshareWaiting, ReshareOfAnotherFile, KeysBornSince, the rules of a refused share and of set_pin."""
    pending = _pending(held, papers.file)
    with SecretPage() as pin, SecretPage() as old, SecretPage() as so_pin, SecretPage() as old_so_pin:
        if pending.unseal is None:
            open_pin(held, shares.unseal, pin)
        else:
            boxes = [box_of("old PIN", pending.old_pin_box), box_of("PIN", pending.unseal.pin_box)]
            open_pin(held, shares.unseal, old, pin, record=pending.unseal, boxes=boxes)
        if pending.recovery is not None:
            boxes = [box_of("old SO PIN", pending.old_so_pin_box), box_of("SO PIN", pending.recovery.so_pin_box)]
            open_recovery(held, shares.recovery, old_so_pin, so_pin, record=pending.recovery, boxes=boxes)
        if held.resumed is None:
            _stage(held, pending)
            held.act()
        if pending.unseal is not None:
            set_pin(held, old, pin)
        if pending.recovery is not None:
            set_pin(held, old_so_pin, so_pin, so=True, alone=pending.unseal is None)
        with TokenSigner(held.hsm, pin) as signer:
            held.finish(
                signer,
                epoch=pending.unseal.epoch if pending.unseal else 0,
                recovery_epoch=pending.recovery.epoch if pending.recovery else 0,
            )


def _pending(held: Held, file: FinishFile) -> PendingSets:
    pending = held.opened.pending_sets()
    if pending is None:
        raise NoReshareWaiting("No new set of shares waits for its holders.")
    digests = [record and record_digest(record) for record in (pending.unseal, pending.recovery)]
    if pending.number != file.reshare or digests != [file.unseal, file.recovery]:
        raise ReshareOfAnotherFile(
            f"The sets of shares of ceremony {pending.number} are waiting, not those of the file."
        )
    born = held.opened.recovery_record().all_wrapped
    if pending.recovery is not None and pending.recovery.all_wrapped != born:
        raise KeysBornSince("Keys were made or destroyed since the new recovery set was.")
    return pending


def _stage(held: Held, pending: PendingSets) -> None:
    if pending.unseal is not None:
        held.replace(held.home.unseal_record, dump_record(pending.unseal))
    if pending.recovery is not None:
        held.replace(held.home.recovery_record, dump_record(pending.recovery))
    held.remove(held.home.pending_sets)
    sets = {"unseal": pending.unseal, "recovery": pending.recovery}
    held.recorder.record("sets in force", epochs={name: new.epoch for name, new in sets.items() if new is not None})


RESHARE_FINISH = Kind("reshare-finish", FinishFile, run_finish)
