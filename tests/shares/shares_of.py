"""Real shares for the tests of this folder: age identities, split by the real child."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pyrage

from hsmpub.secret.box import seal_box
from hsmpub.shares.gathering import SHARE_CONTEXT
from hsmpub.shares.plan import GroupPlan, HolderKey, QuorumPlan, one_group
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
    keys = _keys(f"holder-{n}" for n in range(1, count + 1))
    return _split(one_group(threshold, _public(keys)), keys, epoch)


def make_groups(group_threshold: int, groups: dict[str, tuple[int, int]], epoch: int = 1) -> Holders:
    """Splits PIN among groups. groups: name → threshold and number of holders, who are called NAME-1 … NAME-n."""
    keys = _keys(f"{group}-{n}" for group, (_, count) in groups.items() for n in range(1, count + 1))
    plans = tuple(
        GroupPlan(group, threshold, tuple(key for key in _public(keys) if key.name.startswith(group + "-")))
        for group, (threshold, _) in groups.items()
    )
    return _split(QuorumPlan(group_threshold, plans), keys, epoch)


def _keys(names: Iterable[str]) -> dict[str, pyrage.x25519.Identity]:
    return {name: pyrage.x25519.Identity.generate() for name in names}


def _public(keys: dict[str, pyrage.x25519.Identity]) -> list[HolderKey]:
    return [HolderKey(name, str(key.to_public())) for name, key in keys.items()]


def _split(plan: QuorumPlan, keys: dict[str, pyrage.x25519.Identity], epoch: int) -> Holders:
    split = split_unseal(plan, epoch=epoch, pin=PIN)
    return Holders(split.record, split.files, {name: str(key).encode() for name, key in keys.items()})


def box_of(words: bytes | bytearray, attempt: bytes, key: bytes, holder: str) -> bytes:
    """A box with any words, as a hostile holder could make it."""
    return seal_box(key, SHARE_CONTEXT + attempt + holder.encode(), words)
