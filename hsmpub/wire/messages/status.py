"""How the service stands: the status, its keys, and whether it can sign."""

from __future__ import annotations

import msgspec

from hsmpub.model.key import KeyRecord
from hsmpub.model.terms import Terms
from hsmpub.wire.messages.message import Message
from hsmpub.wire.messages.quorum import Gathered


class GetStatus(Message, frozen=True, tag="status"):
    pass


class OpeningView(msgspec.Struct, frozen=True):
    """What the unsealing allows, and what is left. Times in seconds since 1970; None: not limited, or not yet.

    until: open at most until then. signatures: that left since. idle_at: sealed then, unless something is signed.
    """

    at: int
    holders: tuple[str, ...]
    terms: Terms
    signatures: int
    until: int | None = None
    signatures_left: int | None = None
    idle_at: int | None = None


class WaitingSet(msgspec.Struct, frozen=True):
    """A set of shares that the reshare of this number made, and that waits until every holder has confirmed.

    unconfirmed: who has not; departed: who has left meanwhile.
    """

    reshare: int
    epoch: int
    threshold: int
    holders: tuple[str, ...]
    unconfirmed: tuple[str, ...]
    departed: tuple[str, ...]


class QuorumView(msgspec.Struct, frozen=True):
    """Who could open the service, or restore it, and when they last showed it. Times: seconds since 1970, 0: never.

    drilled_at: the last drill; shown_at: the last drill, unsealing or restore; is_stale: that is too long ago;
    unseen: holders who have not shown their share for as long; departed: holders who have left;
    unconfirmed: holders who neither confirmed their share nor showed it since it was made; waiting: the next set.
    """

    quorum: str
    epoch: int
    threshold: int
    holders: tuple[str, ...]
    drilled_at: int
    shown_at: int
    is_stale: bool
    unseen: tuple[str, ...]
    departed: tuple[str, ...]
    unconfirmed: tuple[str, ...] = ()
    waiting: WaitingSet | None = None


class StatusReply(Message, frozen=True, tag="status-reply"):
    """Plain facts for `hsmpub status`.

    state: `sealed` or `unsealed`; why: a sentence when sealed.
    keeper_key: Ed25519 public key, hex; intake_key: X25519 public key for credentials, hex;
    intake_signature: of the keeper identity over `intake_to_sign(key)`, hex.
    keys: name → kind, or `retired` or `destroyed`.
    protections: name → "on" or why it is off. counters: metric name → value.
    opening: while unsealed. gathering: shares that are in, by terms, while sealed. dead_man_at: sealed then, unless a
    holder says that they are there; present_at: when one was last heard of. Seconds since 1970.
    timestamps: empty where the policy has no timestamp authority, else "given" or why none is given now.
    """

    service: str
    state: str
    why: str
    epoch: int
    log_size: int
    log_root: str
    log_key: str
    keeper_key: str
    intake_key: str
    intake_signature: str
    policy_sha256: str
    roster_sha256: str
    keys: dict[str, str]
    signers: int
    protections: dict[str, str]
    warnings: tuple[str, ...]
    counters: dict[str, float]
    opening: OpeningView | None = None
    gathering: tuple[Gathered, ...] = ()
    dead_man_at: int | None = None
    present_at: int = 0
    quorums: tuple[QuorumView, ...] = ()
    timestamps: str = ""


def intake_to_sign(key: bytes) -> bytes:
    """What the keeper's identity signs of the intake key (raw X25519)."""
    return b"hsmpub intake v1" + key


class GetKeys(Message, frozen=True, tag="keys"):
    """How the keys stand. nonce: 32 bytes of whoever asks, so that the answer is of now; empty: no signature wanted."""

    nonce: bytes = b""


class KeysReply(Message, frozen=True, tag="keys-reply"):
    """entries: indexes of all entries about keys after the genesis; digest: of all keys (hsmpub.model.keys).

    signature: of the keeper's identity over `keys_to_sign(nonce, digest)`, or empty.
    """

    entries: tuple[int, ...]
    digest: str
    signature: bytes = b""


def keys_to_sign(nonce: bytes, digest: str) -> bytes:
    """What the keeper's identity signs of the keys: that no entry about them is missing up to now."""
    return b"hsmpub keys v1" + nonce + digest.encode()


class GetReady(Message, frozen=True, tag="ready"):
    """Makes a real test signature with each signing key."""


class ReadyReply(Message, frozen=True, tag="ready-reply"):
    """keys: name → "ok" or what is wrong."""

    ready: bool
    keys: dict[str, str]


class GetKey(Message, frozen=True, tag="key"):
    name: str


class KeyReply(Message, frozen=True, tag="key-reply"):
    key: KeyRecord
