"""What holders sign with a share: to seal, to say that they are there, to confirm, to permit an upgrade."""

from __future__ import annotations

import msgspec

from hsmpub.wire.messages.message import Message
from hsmpub.wire.messages.quorum import GroupProgress


class GetNonce(Message, frozen=True, tag="nonce"):
    """A nonce for what a holder signs alone. It costs the keeper nothing."""


class NonceReply(Message, frozen=True, tag="nonce-reply"):
    """service, epoch: what the signature has to name, and whose share makes it. expires_at: seconds since 1970."""

    nonce: bytes
    expires_at: int
    service: str
    epoch: int


class SealAsHolder(Message, frozen=True, tag="seal-as-holder"):
    """signature: by the holder's share, kind "seal", over hsmpub.model.holder_act.act_to_sign."""

    holder: str
    nonce: bytes
    reason: str
    signature: bytes


class SayAlive(Message, frozen=True, tag="alive"):
    """signature: by the holder's share, kind "alive", over hsmpub.model.holder_act.act_to_sign."""

    holder: str
    nonce: bytes
    signature: bytes


class Confirm(Message, frozen=True, tag="confirm"):
    """confirmation: the file that a holder's share check wrote (hsmpub.shares.confirmation)."""

    confirmation: bytes


class GetUpgrade(Message, frozen=True, tag="upgrade"):
    """What would come next, and who permits it."""


class PermissionView(msgspec.Struct, frozen=True):
    """body: the exact bytes that holders sign (hsmpub.model.holder_act.Permission); holders: who have signed.
    given: enough have; the log has it, and it was not used yet."""

    body: bytes
    holders: tuple[str, ...]
    groups: tuple[GroupProgress, ...]
    given: bool


class UpgradeReply(Message, frozen=True, tag="upgrade-reply"):
    """running: digest of the code that the keeper started with; next: of what lies on the disk now, hex.
    unsealed_at: index of the unsealing that may go on, -1 while sealed. why: what keeps an upgrade away now, or empty.
    """

    service: str
    epoch: int
    running: str
    next: str
    unsealed_at: int
    why: str
    group_threshold: int
    permissions: tuple[PermissionView, ...]


class PermitUpgrade(Message, frozen=True, tag="permit-upgrade"):
    """body: the exact bytes of a Permission; signature: by the holder's share, kind "upgrade"."""

    holder: str
    body: bytes
    signature: bytes
