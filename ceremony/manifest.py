"""What a backup says of itself: the manifest at the end of its tar, signed by the keeper's identity."""

from __future__ import annotations

from typing import Literal

import msgspec

from hsmpub.shares.record import Quorum

MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
LOG = "log/log.sqlite"


class FileFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """sha256: hex; size: bytes."""

    sha256: str
    size: int


class GroupFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """name: empty for the only group of a quorum without groups."""

    name: str
    threshold: int
    holders: tuple[str, ...]


class QuorumFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose shares belong to this backup; so many of the groups are needed."""

    epoch: int
    group_threshold: int
    groups: tuple[GroupFacts, ...]


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a backup says of itself, signed by the keeper's identity.

    at: seconds since 1970; epoch: of the unseal record; log_size, log_root (hex): the whole log in it;
    policy_sha256, roster_sha256: of the texts in force; keys: their names; vendor_backup: where the HSM maker's own
    backup of the token is, empty for none; module, token: of the HSM, module empty for the embedded SoftHSM;
    listen: of the front.
    """

    backup: Literal["hsmpub backup v1"]
    service: str
    at: int
    epoch: int
    log_size: int
    log_root: str
    policy_sha256: str
    roster_sha256: str
    unseal: QuorumFacts
    recovery: QuorumFacts
    keys: tuple[str, ...]
    vendor_backup: str
    module: str
    token: str
    listen: str
    files: dict[str, FileFacts]


def quorum_facts(quorum: Quorum) -> QuorumFacts:
    groups = (
        GroupFacts(group.name, group.threshold, tuple(holder.name for holder in group.holders))
        for group in quorum.groups
    )
    return QuorumFacts(quorum.epoch, quorum.group_threshold, tuple(groups))


def manifest_message(manifest: bytes) -> bytes:
    """What the keeper's identity signs."""
    return b"hsmpub backup v1\n" + manifest
