"""Recovery holders at the ceremony machine hand in their shares; what comes back is in pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hsmpub.secret.page import SecretPage, wipe
from hsmpub.shares.attempt import RecoveryAttempt
from hsmpub.shares.record import RecoveryRecord

_LIFETIME = 600  # seconds


@dataclass(frozen=True, repr=False)
class ShareAtHand:
    """A recovery holder's share file and private key; the key is empty if the file is the words themselves."""

    holder: str
    file: bytes
    identity: bytearray

    def __repr__(self) -> str:
        return f"ShareAtHand({self.holder!r})"


async def gather_recovery(
    record: RecoveryRecord, shares: Sequence[ShareAtHand], wrapping_key: SecretPage, identity: SecretPage,
    *, now: int, accepted: Callable[[tuple[str, ...]], None],
) -> tuple[str, ...]:  # fmt: skip
    """Opens wrapping key and keeper identity. The holders' private keys are wiped.

    accepted: called with the holders so far after each share.

    Returns: the holders whose shares were used.

    Raises:
        TooFewHolders, EnoughShares, and the rules of a refused share: nothing was opened.
    """
    attempt = await RecoveryAttempt.start(record, now=now, lifetime=_LIFETIME)
    try:
        for share in shares:
            accepted(await attempt.hand_in_file(share.holder, share.file, share.identity))
        await attempt.take_keys(wrapping_key, identity)
        return attempt.accepted
    finally:
        for share in shares:
            wipe(share.identity)
        await attempt.close()
