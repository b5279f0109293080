"""Holders show that they could unseal or restore."""

from __future__ import annotations

from hsmpub.wire.messages.message import Message
from hsmpub.wire.messages.quorum import GroupProgress, QuorumName


class GetDrill(Message, frozen=True, tag="drill"):
    """The drill of this quorum that is open now; one is opened where there is none. Sealed or not."""

    quorum: QuorumName


class DrillReply(Message, frozen=True, tag="drill-reply"):
    """As AttemptReply; signature: of the keeper identity over `b"hsmpub drill v1 " + quorum + b"\\n" + attempt + key
    + expires_at as 8 bytes big-endian`. The key opens no unseal share."""

    quorum: QuorumName
    attempt: bytes
    key: bytes
    signature: bytes
    keeper_key: bytes
    epoch: int
    threshold: int
    holders: tuple[str, ...]
    accepted: tuple[str, ...]
    expires_at: int
    group_threshold: int
    groups: tuple[GroupProgress, ...]


class HandInDrill(Message, frozen=True, tag="hand-in-drill"):
    """As HandIn; info of the box = `b"hsmpub drill share v1" + attempt + holder`."""

    quorum: QuorumName
    attempt: bytes
    holder: str
    box: bytes


class DrillHandInReply(Message, frozen=True, tag="hand-in-drill-reply"):
    """proven: what the quorum was shown to open, empty before the last share; evidence: the transcript's path below
    the home; entry: its index in the log."""

    holder: str
    accepted: tuple[str, ...]
    threshold: int
    group_threshold: int
    groups: tuple[GroupProgress, ...]
    proven: tuple[str, ...] = ()
    evidence: str = ""
    entry: int = 0
