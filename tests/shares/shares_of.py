"""Real shares for the tests of this folder: age identities, split by the real child."""

from __future__ import annotations

from dataclasses import dataclass

import pyrage

from hsmpub.secret.box import seal_box
from hsmpub.shares.channel import HolderKey
from hsmpub.shares.gathering import SHARE_CONTEXT
from hsmpub.shares.record import UnsealRecord
from hsmpub.shares.split import split_unseal

PIN = bytearray(b"not-a-real-pin-0123456789-abcdefgh")


@dataclass(frozen=True)
class Holders:
    """A set of shares with what only the holders have. Holders are called holder-1 … holder-n."""

    record: UnsealRecord
    files: dict[str, bytes]
    identities: dict[str, bytes]

    def words(self, holder: str) -> bytearray:
        return bytearray(pyrage.decrypt(self.files[holder], [_identity(self.identities[holder])]).strip())


def _identity(text: bytes) -> pyrage.x25519.Identity:
    return pyrage.x25519.Identity.from_str(text.decode())


def make_holders(count: int = 5, threshold: int = 3, epoch: int = 1) -> Holders:
    """Splits PIN among `count` holders."""
    keys = {f"holder-{n}": pyrage.x25519.Identity.generate() for n in range(1, count + 1)}
    split = split_unseal(
        [HolderKey(name, str(key.to_public())) for name, key in keys.items()], threshold, epoch=epoch, pin=PIN
    )
    return Holders(split.record, split.files, {name: str(key).encode() for name, key in keys.items()})


def box_of(words: bytes | bytearray, attempt: bytes, key: bytes, holder: str) -> bytes:
    """A box with any words, as a hostile holder could make it."""
    return seal_box(key, SHARE_CONTEXT + attempt + holder.encode(), words)
