"""What a ceremony records of a quorum: enough to accept or refuse a share, nothing that helps to guess one.

Both records are JSON files of the keeper and public in substance: digests, public keys and sealed boxes.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Literal

import msgspec

from hsmpub.errors import NotFound
from hsmpub.model.key import KeyKind
from hsmpub.shares.layout import Layout
from hsmpub.shares.plan import GroupPlan, HolderKey, QuorumPlan

Purpose = Literal["unseal", "recovery"]


class UnknownHolder(NotFound):
    advice = "Use the holder's name as the ceremony recorded it; 'hsmpub status' lists the names."


class HolderRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """One holder of a quorum.

    Attributes:
        name: as it is called in every ceremony, log entry and command.
        group: name of the holder's group; empty in a quorum without groups.
        index: the SLIP-39 member index of the holder's share in its group, from 0.
        commitment: of the share, 64 hex characters (hsmpub.shares.commitment).
        recipient: the holder's own public key (`age1…`, `ssh-ed25519 …`, `ssh-rsa …`, an armoured OpenPGP
            certificate), or `paper`.
        fingerprint: of that key, as `ssh-keygen -l` or gpg prints it.
        verifier: Ed25519 public key of what the holder signs with the share (hsmpub.shares.verifier), 64 hex
            characters; empty in records of ceremonies before there were verifiers.
    """

    name: str
    index: int
    commitment: str
    recipient: str
    fingerprint: str
    group: str = ""
    verifier: str = ""


class EarlierSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A set of shares that is no longer in force: `identifier` is what its shares are recognised by."""

    epoch: int
    identifier: int


class GroupRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """name, and how many of the group's holders are needed."""

    name: str
    threshold: int


@dataclass(frozen=True)
class Group:
    """A group of a quorum with its holders. name: empty for the only group of a quorum without groups."""

    name: str
    threshold: int
    holders: tuple[HolderRecord, ...]

    def enough(self, accepted: Container[str]) -> bool:
        """Enough of these holders are among `accepted`."""
        return sum(holder.name in accepted for holder in self.holders) >= self.threshold


class Quorum(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """What both quorums record. What is not said of groups in a file is: one group, without a name.

    Attributes:
        epoch: counts the sets of shares from 1; a restore starts the next.
        identifier, extendable, iteration_exponent: pinned SLIP-39 header of this set.
        threshold: of the only group; with named groups, the fewest holders that can be enough. `is_complete` decides.
        holders: group by group, in the order of their groups.
        group_threshold: so many groups are needed.
        group_rules: name and threshold of each named group; in files `groups`.
        check: key-check value of the secret, 64 hex characters (hsmpub.shares.derive).
        earlier: sets of this quorum that were in force before, so that their shares are refused by name.
    """

    epoch: int
    identifier: int
    extendable: bool
    iteration_exponent: int
    threshold: int
    holders: tuple[HolderRecord, ...]
    check: str
    earlier: tuple[EarlierSet, ...] = ()

    @property
    def history(self) -> tuple[EarlierSet, ...]:
        """Every set so far, this one last: what the next one calls `earlier`."""
        return (*self.earlier, EarlierSet(self.epoch, self.identifier))

    group_threshold: int = 1
    group_rules: tuple[GroupRule, ...] = msgspec.field(default=(), name="groups")

    @property
    def groups(self) -> tuple[Group, ...]:
        """One or more, in the order of their SLIP-39 group index."""
        return tuple(
            Group(rule.name, rule.threshold, tuple(h for h in self.holders if h.group == rule.name))
            for rule in self.group_rules or (GroupRule("", self.threshold),)
        )

    @property
    def layout(self) -> Layout:
        """The header that every share of this set must carry."""
        return plan_of(self).layout(self.identifier, self.extendable, self.iteration_exponent)

    def is_complete(self, accepted: Container[str]) -> bool:
        """The holders of these names are enough: `group_threshold` groups have as many as they need."""
        return sum(group.enough(accepted) for group in self.groups) >= self.group_threshold

    def group_of(self, holder: HolderRecord) -> Group:
        """The holder's group."""
        return next(group for group in self.groups if group.name == holder.group)

    def holder(self, name: str) -> HolderRecord:
        """Raises UnknownHolder."""
        for holder in self.holders:
            if holder.name == name:
                return holder
        raise UnknownHolder(f"{name[:80]!r} is no holder of this quorum.")


class UnsealRecord(Quorum, frozen=True, kw_only=True):
    """pin_box: the token's PIN under a key derived from the secret: nonce‖ciphertext‖tag, hex (AES-256-GCM)."""

    pin_box: str


class WrappedKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A key as it was born: AES-KWP under the wrapping key, hex. public: PEM, empty for secret keys."""

    name: str
    kind: KeyKind
    public: str
    wrapped: str


class Birth(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Keys that a ceremony made after the genesis, under a wrapping key of their own.

    number: of that ceremony in its home; wrapping_key_box: HPKE-sealed to the recovery quorum, hex; wrapped: the keys.
    """

    number: int
    wrapping_key_box: str
    wrapped: tuple[WrappedKey, ...]


class RecoveryRecord(Quorum, frozen=True, kw_only=True, omit_defaults=True):
    """The backup of the keys, taken at their birth.

    Attributes:
        public_key: X25519 key of the recovery quorum, hex; its private half is derived from the secret.
        wrapping_key_box, so_pin_box, identity_box: wrapping key, SO PIN of the token and seed of the keeper's
            identity, each HPKE-sealed to `public_key`, hex.
        wrapped: the keys of the genesis, those that were not destroyed.
        births: of keys since, in order.
    """

    public_key: str
    wrapping_key_box: str
    so_pin_box: str
    identity_box: str
    wrapped: tuple[WrappedKey, ...]
    births: tuple[Birth, ...] = ()

    @property
    def all_wrapped(self) -> tuple[WrappedKey, ...]:
        """Every key that can be restored."""
        return (*self.wrapped, *(key for birth in self.births for key in birth.wrapped))


def plan_of(record: Quorum) -> QuorumPlan:
    """The plan by which the same people would hold a new set of shares."""
    groups = tuple(
        GroupPlan(group.name, group.threshold, tuple(HolderKey(h.name, h.recipient) for h in group.holders))
        for group in record.groups
    )
    return QuorumPlan(record.group_threshold, groups)
