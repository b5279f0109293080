"""The quorum that opens a standing ceremony: its shares go to a child process, and the PIN comes back in a page."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from ceremony.gather import ShareAtHand, gather_unseal
from ceremony.standing.held import Held
from hsmpub.secret.page import SecretPage, wipe


@dataclass(frozen=True)
class AtHand:
    """Shares that were brought to the ceremony, of either quorum."""

    unseal: Sequence[ShareAtHand] = ()
    recovery: Sequence[ShareAtHand] = field(default=())

    def wipe(self) -> None:
        """Wipes the holders' private keys."""
        for share in (*self.unseal, *self.recovery):
            wipe(share.identity)


def open_pin(held: Held, shares: Sequence[ShareAtHand], pin: SecretPage) -> None:
    """Fills `pin` from a quorum of unseal shares; each is a step of the transcript. Their holders opened the ceremony.

    Raises:
        TooFewHolders, EnoughShares, and the rules of a refused share: nothing was opened.
    """
    record = held.opened.unseal_record()

    def accepted(holders: tuple[str, ...]) -> None:
        held.recorder.record("unseal share", holder=holders[-1], accepted=f"{len(holders)} of {record.threshold}",
                             epoch=record.epoch)  # fmt: skip

    held.holders = asyncio.run(gather_unseal(record, shares, pin, now=held.at, accepted=accepted))
