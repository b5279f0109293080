"""Reshare, second step: the PINs in the HSM are changed, the new sets of shares are in force, the old ones are dead.

The file is an output of the first step, so that it names the very sets that the holders confirm:

```toml
ceremony = "reshare-finish"
service = "releases"
reshare = 4                # number of the first step
unseal = "…"               # digest of the new set, as the transcript and the holders' confirmations have it
```

1 every holder of a new set has confirmed it, to the service or in a file that is brought: the share opens, and is
  the one that was made
2 a quorum of the new shares opens the new PIN and the one in force, each in a box of its own
3 the journal says that the HSM is about to change; then it is changed, PIN by PIN
4 the new records take the place of the old ones, and the log says so

Killed in between, a quorum of the new shares opens both PINs again, whichever of them the token takes.
"""

from __future__ import annotations

from collections.abc import Sequence

from ceremony.standing.finish_file import FinishFile, check_named
from ceremony.standing.finish_rehearsal import prepare_finish
from ceremony.standing.held import Held
from ceremony.standing.kind import Kind, Papers
from ceremony.standing.pin_change import set_pin
from ceremony.standing.quorum import AtHand, open_pin, open_recovery
from hsmpub.errors import Conflict
from hsmpub.hsm.signer import TokenSigner
from hsmpub.secret.page import SecretPage
from hsmpub.shares.box import box_of
from hsmpub.shares.confirmation import (
    Confirmation,
    check_all_confirmed,
    dump_confirmation,
    dump_confirmations,
    load_confirmations,
)
from hsmpub.shares.facts import facts_of
from hsmpub.shares.pending import PendingSets
from hsmpub.shares.record_file import dump_record


class KeysBornSince(Conflict):
    advice = (
        "Hold the reshare of the recovery quorum again: it would lose keys made since, or bring back destroyed ones."
    )


def run_finish(held: Held, papers: Papers[FinishFile], shares: AtHand) -> None:
    """Confirms, opens, changes, and puts in force.

    Raises:
        NoReshareWaiting, ReshareOfAnotherFile, KeysBornSince, HoldersNotConfirmed and the rules of a confirmation.
        The rules of a refused share, of set_pin and of Held.finish.
    """
    pending = _pending(held, papers.file)
    if held.resumed is None:
        _confirmed(held, pending, shares.confirmations)
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
    pending = check_named(held.opened.pending_sets(), file)
    born = held.opened.recovery_record().all_wrapped
    if pending.recovery is not None and pending.recovery.all_wrapped != born:
        raise KeysBornSince("Keys were made or destroyed since the new recovery set was.")
    return pending


def _confirmed(held: Held, pending: PendingSets, brought: Sequence[Confirmation]) -> None:
    """Those that were brought and those that holders sent to the service."""
    path = held.home.confirmations
    sent = load_confirmations(path.read_bytes()) if path.exists() else ()
    kept = [confirmation for confirmation in sent if confirmation.purpose not in pending.records()]
    for purpose, record in pending.records().items():
        facts = facts_of(record)
        of_this = [one for one in sent if (one.purpose, one.quorum) == (purpose, facts.digest(purpose))]
        by_holder = {one.holder: one for one in (*of_this, *(one for one in brought if one.purpose == purpose))}
        own = list(by_holder.values())
        check_all_confirmed(own, purpose, facts)
        kept += own
        for confirmation in own:
            held.output(f"confirmations/{purpose}-{confirmation.holder}.json", dump_confirmation(confirmation))
        held.recorder.record(f"{purpose} set confirmed", epoch=record.epoch, set=facts.digest(purpose),
                             holders=[holder.name for holder in record.holders])  # fmt: skip
    held.replace(path, dump_confirmations(kept))


def _stage(held: Held, pending: PendingSets) -> None:
    if pending.unseal is not None:
        held.replace(held.home.unseal_record, dump_record(pending.unseal))
    if pending.recovery is not None:
        held.replace(held.home.recovery_record, dump_record(pending.recovery))
    held.remove(held.home.pending_sets)
    held.recorder.record("sets in force", epochs={name: new.epoch for name, new in pending.records().items()})


RESHARE_FINISH = Kind("reshare-finish", FinishFile, run_finish, prepare=prepare_finish)
