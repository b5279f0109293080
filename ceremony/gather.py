"""Holders at the ceremony machine hand in their shares; what comes back is in pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hsmpub.secret.page import SecretPage, wipe
from hsmpub.shares.attempt import RecoveryAttempt, UnsealAttempt
from hsmpub.shares.box import Box
from hsmpub.shares.record import RecoveryRecord, UnsealRecord

_LIFETIME = 600  # seconds
Accepted = Callable[[tuple[str, ...]], None]


@dataclass(frozen=True, repr=False)
class ShareAtHand:
    """A holder's share file and private key; the key is empty if the file is the words themselves."""

    holder: str
    file: bytes
    identity: bytearray

    def __repr__(self) -> str:
        return f"ShareAtHand({self.holder!r})"


async def gather_recovery(
    record: RecoveryRecord, shares: Sequence[ShareAtHand], *pages: SecretPage, now: int, accepted: Accepted,
    boxes: Sequence[Box] = (),
) -> tuple[str, ...]:  # fmt: skip
    """Opens wrapping key and keeper identity, or other boxes, into the pages. The holders' private keys are wiped.

    accepted: called with the holders so far after each share.

    Returns: the holders whose shares were used.

    Raises:
        TooFewHolders, EnoughShares, and the rules of a refused share: nothing was opened.
    """
    attempt = await RecoveryAttempt.start(record, now=now, lifetime=_LIFETIME, boxes=boxes)
    try:
        await _hand_in(attempt, shares, accepted)
        await attempt.take_keys(*pages)
        return attempt.accepted
    finally:
        await attempt.close()


async def gather_unseal(
    record: UnsealRecord, shares: Sequence[ShareAtHand], *pages: SecretPage, now: int, accepted: Accepted,
    boxes: Sequence[Box] = (), seal: SecretPage | None = None,
) -> tuple[tuple[str, ...], bytes]:  # fmt: skip
    """Opens the PIN of the token, or other boxes; as gather_recovery.

    seal: a new PIN. Returns: also its box under the same secret, or nothing.
    """
    attempt = await UnsealAttempt.start(record, now=now, lifetime=_LIFETIME, boxes=boxes, seal=seal)
    try:
        await _hand_in(attempt, shares, accepted)
        await attempt.take_pin(*pages)
        return attempt.accepted, attempt.sealed
    finally:
        await attempt.close()


async def _hand_in(attempt: UnsealAttempt | RecoveryAttempt, shares: Sequence[ShareAtHand], accepted: Accepted) -> None:
    try:
        for share in shares:
            accepted(await attempt.hand_in_file(share.holder, share.file, share.identity))
    finally:
        for share in shares:
            wipe(share.identity)
