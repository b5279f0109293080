"""PIN change: a new random PIN that nobody sees, under the secret that the holders have already.

The shares stay good. The box with the new PIN is made by the child process that combines them, and waits beside the
record before the token is touched; killed in between, the same holders open both boxes and the change is made again.

```toml
ceremony = "pin-change"
service = "releases"
pin_length = 40            # may be left out; for modules that take fewer characters
```

The SO PIN is the other half: `so-pin-change`, below, takes the recovery quorum as well, to whose key it is sealed.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from pydantic import Field, StrictInt

from ceremony.standing.file import StandingFile
from ceremony.standing.held import Held
from ceremony.standing.kind import Kind, Papers
from ceremony.standing.quorum import AtHand, open_pin, open_recovery
from hsmpub.errors import Conflict
from hsmpub.hsm.pin import new_pin
from hsmpub.hsm.rules import PinNotChanged
from hsmpub.hsm.signer import TokenSigner
from hsmpub.hsm.token import change_pin
from hsmpub.secret.page import SecretPage
from hsmpub.shares.box import box_of
from hsmpub.shares.record_file import dump_record, load_recovery_record, load_unseal_record
from hsmpub.shares.recovery import seal_for_recovery


class ReshareWaiting(Conflict):
    advice = "End it first: 'hsmpub-ceremony reshare --finish'; or hold another reshare in its place."


class PinChangeFile(StandingFile):
    """pin_length: characters of the new PIN."""

    pin_length: Annotated[StrictInt, Field(ge=8, le=255)] = 40


def run_pin_change(held: Held, papers: Papers[PinChangeFile], shares: AtHand) -> None:
    """Raises the rules of a refused share, PinNotChanged, PinRefused, and the rules of Held.finish."""
    path, before = held.home.unseal_record, held.opened.unseal_record()
    _check_none_waiting(held)
    with SecretPage() as old, SecretPage() as new:
        if held.resumed is None:
            new.take(new_pin(papers.file.pin_length))
            box = open_pin(held, shares.unseal, old, seal=new)
            held.replace(path, dump_record(msgspec.structs.replace(before, pin_box=box.hex())))
            held.act()
        else:
            after = load_unseal_record(held.waiting(path))
            boxes = [box_of("PIN", record.pin_box) for record in (before, after)]
            open_pin(held, shares.unseal, old, new, boxes=boxes)
        set_pin(held, old, new)
        with TokenSigner(held.hsm, new) as signer:
            held.finish(signer)


def run_so_pin_change(held: Held, papers: Papers[PinChangeFile], shares: AtHand) -> None:
    """As run_pin_change, with both quorums: the unseal quorum's PIN signs, the recovery quorum opens the SO PIN."""
    path, before = held.home.recovery_record, held.opened.recovery_record()
    _check_none_waiting(held)
    with SecretPage() as pin, SecretPage() as old, SecretPage() as new:
        open_pin(held, shares.unseal, pin)
        if held.resumed is None:
            new.take(new_pin(papers.file.pin_length))
            open_recovery(held, shares.recovery, old, boxes=[box_of("SO PIN", before.so_pin_box)])
            box = seal_for_recovery(bytes.fromhex(before.public_key), before.epoch, "SO PIN", new.view)
            held.replace(path, dump_record(msgspec.structs.replace(before, so_pin_box=box)))
            held.act()
        else:
            after = load_recovery_record(held.waiting(path))
            boxes = [box_of("SO PIN", record.so_pin_box) for record in (before, after)]
            open_recovery(held, shares.recovery, old, new, boxes=boxes)
        set_pin(held, old, new, so=True)
        with TokenSigner(held.hsm, pin) as signer:
            held.finish(signer)


def set_pin(held: Held, old: SecretPage, new: SecretPage, *, so: bool = False, alone: bool = True) -> None:
    """Changes it in the token, or finds that it was changed before the ceremony was killed.

    alone: nothing else in the token was changed by this ceremony before.

    Raises:
        PinNotChanged: the token keeps the old one; the ceremony can still be undone.
        PinRefused: the token takes neither.
    """
    try:
        changed = change_pin(held.hsm, old=old, new=new, so=so)
    except PinNotChanged:
        if alone:
            held.retract()
        raise
    what = "SO PIN" if so else "PIN"
    held.recorder.record(f"{what} changed", token=held.hsm.token, found="changed now" if changed else "changed before")


def _check_none_waiting(held: Held) -> None:
    """New sets of shares hold a box with the PIN of their day. Raises ReshareWaiting."""
    if held.opened.pending_sets() is not None:
        raise ReshareWaiting("New sets of shares wait for their holders, and know the PINs that are in force now.")


PIN_CHANGE = Kind("pin-change", PinChangeFile, run_pin_change)
SO_PIN_CHANGE = Kind("so-pin-change", PinChangeFile, run_so_pin_change)
