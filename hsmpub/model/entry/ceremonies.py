"""What was done while the keeper did not run."""

from __future__ import annotations

from hsmpub.model.entry.fact import Fact


class Restored(Fact, frozen=True, tag="restore"):
    """A recovery quorum restored the keys into a fresh token: new epoch of shares, same public keys."""

    transcript_sha256: str
    epoch: int
    holders: tuple[str, ...]


class Lost(Fact, frozen=True, tag="lost"):
    """Another entry was at this index. A restore did not have it, and whoever restored accepted that.

    size, root (hex): of the signed checkpoint that shows what was lost.
    """

    size: int
    root: str


class CeremonyHeld(Fact, frozen=True, tag="ceremony"):
    """A ceremony on the home, the keeper stopped; `holders` opened it with their shares.

    number: counts them, from 1; ceremony: its name; transcript_sha256: of home/ceremonies/<number>-<ceremony>.
    epoch, recovery_epoch: of the sets of shares that are in force from here on, 0 where they stay.
    pending_epoch, pending_recovery_epoch: of sets that were made and wait for their holders' confirmation.
    """

    number: int
    ceremony: str
    transcript_sha256: str
    holders: tuple[str, ...]
    epoch: int = 0
    recovery_epoch: int = 0
    pending_epoch: int = 0
    pending_recovery_epoch: int = 0
