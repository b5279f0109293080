"""The quorum that opens a standing ceremony: its shares go to a child process, and the PIN comes back in a page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ceremony.gather import ShareAtHand, gather_recovery, gather_unseal
from ceremony.standing.held import Held
from hsmpub.errors import Conflict
from hsmpub.secret.page import SecretPage, wipe
from hsmpub.shares.box import Box
from hsmpub.shares.confirmation import Confirmation
from hsmpub.shares.progress import progress_text
from hsmpub.shares.record import Quorum, RecoveryRecord, UnsealRecord


class SharesNeeded(Conflict):
    """Of a ceremony that is resumed: it waits as it is until they are there."""

    advice = (
        "Run 'hsmpub-ceremony resume' with --share HOLDER=FILE and --identity HOLDER=FILE of a quorum, and with the"
        " recovery ones if the ceremony took them."
    )


@dataclass(frozen=True)
class AtHand:
    """Shares that were brought to the ceremony, of either quorum, and holders' confirmations of new ones.

    cards: folder for the cards of new holders with paper.
    """

    unseal: Sequence[ShareAtHand] = ()
    recovery: Sequence[ShareAtHand] = ()
    confirmations: Sequence[Confirmation] = ()
    cards: Path | None = None

    def wipe(self) -> None:
        """Wipes the holders' private keys."""
        for share in (*self.unseal, *self.recovery):
            wipe(share.identity)


def open_pin(
    held: Held, shares: Sequence[ShareAtHand], *pages: SecretPage, record: UnsealRecord | None = None,
    boxes: Sequence[Box] = (), seal: SecretPage | None = None,
) -> bytes:  # fmt: skip
    """Fills the pages, with the PIN as a rule, from a quorum of unseal shares; each is a step of the transcript.

    Its holders opened the ceremony: the log names them.

    Args:
        record: of the set that is asked; the one in force if None.
        boxes: what is to be opened, one for each page; the record's PIN if there are none.
        seal: a new PIN. Returns: its box under the same secret, or nothing.

    Raises:
        SharesNeeded, TooFewHolders, EnoughShares, and the rules of a refused share: nothing was opened.
    """
    if held.resumed is not None and not shares:
        raise SharesNeeded("It was interrupted while it changed the HSM.")
    asked = record or held.opened.unseal_record()
    told = _recording(held, "unseal share", asked)
    held.holders, sealed = asyncio.run(
        gather_unseal(asked, shares, *pages, now=held.at, accepted=told, boxes=boxes, seal=seal)
    )
    return sealed


def open_recovery(
    held: Held, shares: Sequence[ShareAtHand], *pages: SecretPage, boxes: Sequence[Box],
    record: RecoveryRecord | None = None,
) -> None:  # fmt: skip
    """Fills the pages from boxes of the recovery quorum. As open_pin, but the log does not name these holders."""
    asked = record or held.opened.recovery_record()
    told = _recording(held, "recovery share", asked)
    asyncio.run(gather_recovery(asked, shares, *pages, now=held.at, accepted=told, boxes=boxes))


def _recording(held: Held, what: str, record: Quorum) -> Callable[[tuple[str, ...]], None]:
    def accepted(holders: tuple[str, ...]) -> None:
        held.recorder.record(what, holder=holders[-1], accepted=progress_text(record, holders),
                             epoch=record.epoch)  # fmt: skip

    return accepted
