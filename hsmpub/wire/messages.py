"""The closed sets of messages to the keeper. There is no other way to command it.

Front channel: `FrontMessage` in, `FrontReply` or `Problem` out. Courier channel: `CourierMessage` in,
`CourierReply` or `Problem` out. A frame is a four-byte big-endian length and one msgpack map.
The keeper answers the frames of one connection in their order of completion; the `id` of call and answer pairs them.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from hsmpub.errors import Problem
from hsmpub.model.entry import PublishResult
from hsmpub.model.key import KeyRecord
from hsmpub.model.terms import UNLIMITED, Terms

QuorumName = Literal["unseal", "recovery"]


class _Msg(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type"):
    pass


# --- front channel ---------------------------------------------------------------------------------


class GetStatus(_Msg, frozen=True, tag="status"):
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


class GroupProgress(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A group of the quorum: so many of its holders are needed, these have handed in. name: empty in a quorum
    without groups, which is one."""

    name: str
    threshold: int
    holders: tuple[str, ...]
    accepted: tuple[str, ...]


class Gathered(msgspec.Struct, frozen=True):
    """Holders who have handed in under these terms, also by group."""

    terms: Terms
    accepted: tuple[str, ...]
    groups: tuple[GroupProgress, ...]


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


class StatusReply(_Msg, frozen=True, tag="status-reply"):
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


class GetKeys(_Msg, frozen=True, tag="keys"):
    """How the keys stand. nonce: 32 bytes of whoever asks, so that the answer is of now; empty: no signature wanted."""

    nonce: bytes = b""


class KeysReply(_Msg, frozen=True, tag="keys-reply"):
    """entries: indexes of all entries about keys after the genesis; digest: of all keys (hsmpub.model.keys).

    signature: of the keeper's identity over `keys_to_sign(nonce, digest)`, or empty.
    """

    entries: tuple[int, ...]
    digest: str
    signature: bytes = b""


def keys_to_sign(nonce: bytes, digest: str) -> bytes:
    """What the keeper's identity signs of the keys: that no entry about them is missing up to now."""
    return b"hsmpub keys v1" + nonce + digest.encode()


class GetReady(_Msg, frozen=True, tag="ready"):
    """Makes a real test signature with each signing key."""


class ReadyReply(_Msg, frozen=True, tag="ready-reply"):
    """keys: name → "ok" or what is wrong."""

    ready: bool
    keys: dict[str, str]


class OpenSession(_Msg, frozen=True, tag="open-session"):
    """token: the CI identity token as sent; client_key: raw X25519 public key, 32 bytes."""

    token: bytes
    client_key: bytes


class SessionReply(_Msg, frozen=True, tag="session-reply"):
    """keeper_key: raw X25519 public key of this session; signature: of the keeper's identity (Ed25519) over
    `b"hsmpub session v1" + session + client_key + keeper_key`. The session's MAC key is known to client and
    keeper only (see hsmpub.wire.session)."""

    session: bytes
    keeper_key: bytes
    signature: bytes
    expires_at: int


class Submit(_Msg, frozen=True, tag="submit"):
    """A CI job's request. mac: see hsmpub.wire.session; body: exact bytes of a CiBody."""

    session: bytes
    counter: int
    mac: bytes
    body: bytes


class OpenBearer(_Msg, frozen=True, tag="open-bearer"):
    """A session for a program that cannot authenticate each request (hsmpub.keeper.bearers).

    token: CI identity token with the plain audience, as sent; project: the only one that it is for."""

    token: bytes
    project: str


class BearerReply(_Msg, frozen=True, tag="bearer-reply"):
    """bearer: 32 random bytes: whoever holds them may ask, until `expires_at`."""

    bearer: bytes
    expires_at: int


class LookUpBearer(_Msg, frozen=True, tag="look-up-bearer"):
    bearer: bytes


class RevokeBearer(_Msg, frozen=True, tag="revoke-bearer"):
    bearer: bytes


class BearerView(_Msg, frozen=True, tag="bearer-view"):
    """How a bearer session stands. Times: seconds since 1970, by the keeper's clock."""

    project: str
    opened_at: int
    expires_at: int
    now: int


class SignDigests(_Msg, frozen=True, tag="sign-digests"):
    """Bare signatures. items: SHA-256 digests, or whole messages for an Ed25519 key; none twice."""

    bearer: bytes
    key: str
    items: tuple[bytes, ...]


class AskTimestamp(_Msg, frozen=True, tag="ask-timestamp"):
    """query: TimeStampReq (RFC 3161), as it was sent; bearer: as in SignDigests, or empty."""

    query: bytes
    bearer: bytes = b""


class TimestampReply(_Msg, frozen=True, tag="timestamp-reply"):
    """answer: TimeStampResp, DER; rule: why no timestamp was given, or empty."""

    answer: bytes
    rule: str = ""


class GetKey(_Msg, frozen=True, tag="key"):
    name: str


class KeyReply(_Msg, frozen=True, tag="key-reply"):
    key: KeyRecord


class SubmitPersonal(_Msg, frozen=True, tag="submit-personal"):
    """A person's request. body: exact bytes of a PersonalBody; signature: armoured SSHSIG over them."""

    body: bytes
    signature: bytes


class Approve(_Msg, frozen=True, tag="approve"):
    request: str
    person: str
    signature: bytes


class Decline(_Msg, frozen=True, tag="decline"):
    request: str
    person: str
    signature: bytes


class GetRequest(_Msg, frozen=True, tag="request"):
    request: str


class ListRequests(_Msg, frozen=True, tag="requests"):
    """open_only: those that still wait for somebody or something."""

    open_only: bool = True


class ApprovalView(msgspec.Struct, frozen=True):
    person: str
    at: int


class PublishView(msgspec.Struct, frozen=True):
    target: str
    item: str
    state: str
    detail: str = ""


class RequestView(_Msg, frozen=True, tag="request-view"):
    """A request as everybody may see it. statement: the exact bytes; entries: its indexes in the log."""

    request: str
    kind: str
    project: str
    version: str
    state: str
    why: str
    statement: bytes
    expires_at: int
    approvals: tuple[ApprovalView, ...]
    missing: dict[str, int]
    publishing: tuple[PublishView, ...]
    entries: tuple[int, ...]


class RequestList(_Msg, frozen=True, tag="request-list"):
    requests: tuple[RequestView, ...]


class MadeSignature(msgspec.Struct, frozen=True):
    """One output, or why it was not made (then `problem` is set and output empty)."""

    artifact: str
    format: str
    key: str
    name: str
    output: bytes
    problem: Problem | None = None


class SignReply(_Msg, frozen=True, tag="sign-reply"):
    """Signatures of a routine request; `entry` is its index in the log, already durable."""

    request: str
    entry: int
    made: tuple[MadeSignature, ...]


class GetAttempt(_Msg, frozen=True, tag="attempt"):
    """The unseal attempt that is open now, under these terms; one is opened where there is none."""

    terms: Terms = UNLIMITED


class AttemptReply(_Msg, frozen=True, tag="attempt-reply"):
    """threshold: the fewest holders that can be enough; group_threshold: so many of `groups` are needed.

    key: raw X25519 (HPKE) public key of this attempt; signature: of the keeper identity over
    `b"hsmpub attempt v1" + attempt + key + expires_at as 8 bytes big-endian + dump_terms(terms)`.
    terms: those asked for, within what the policy allows. accepted and groups: under these terms; gathering: under any.
    """

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
    terms: Terms = UNLIMITED
    gathering: tuple[Gathered, ...] = ()


class HandIn(_Msg, frozen=True, tag="hand-in"):
    """box: the mnemonic's UTF-8 bytes, HPKE-sealed to the attempt's key; info = `b"hsmpub share v1" +
    bound_attempt(attempt, dump_terms(terms)) + holder`. Accepted or refused at once. A holder's share counts under
    the terms that they named last, and under no others."""

    attempt: bytes
    holder: str
    box: bytes
    terms: Terms = UNLIMITED


class HandInReply(_Msg, frozen=True, tag="hand-in-reply"):
    """As AttemptReply. state: "sealed" or "unsealed"."""

    holder: str
    accepted: tuple[str, ...]
    threshold: int
    state: str
    group_threshold: int
    groups: tuple[GroupProgress, ...]


class GetNonce(_Msg, frozen=True, tag="nonce"):
    """A nonce for what a holder signs alone. It costs the keeper nothing."""


class NonceReply(_Msg, frozen=True, tag="nonce-reply"):
    """service, epoch: what the signature has to name, and whose share makes it. expires_at: seconds since 1970."""

    nonce: bytes
    expires_at: int
    service: str
    epoch: int


class SealAsHolder(_Msg, frozen=True, tag="seal-as-holder"):
    """signature: by the holder's share, kind "seal", over hsmpub.model.holder_act.act_to_sign."""

    holder: str
    nonce: bytes
    reason: str
    signature: bytes


class SayAlive(_Msg, frozen=True, tag="alive"):
    """signature: by the holder's share, kind "alive", over hsmpub.model.holder_act.act_to_sign."""

    holder: str
    nonce: bytes
    signature: bytes


class Confirm(_Msg, frozen=True, tag="confirm"):
    """confirmation: the file that a holder's share check wrote (hsmpub.shares.confirmation)."""

    confirmation: bytes


class GetUpgrade(_Msg, frozen=True, tag="upgrade"):
    """What would come next, and who permits it."""


class PermissionView(msgspec.Struct, frozen=True):
    """body: the exact bytes that holders sign (hsmpub.model.holder_act.Permission); holders: who have signed.
    given: enough have; the log has it, and it was not used yet."""

    body: bytes
    holders: tuple[str, ...]
    groups: tuple[GroupProgress, ...]
    given: bool


class UpgradeReply(_Msg, frozen=True, tag="upgrade-reply"):
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


class PermitUpgrade(_Msg, frozen=True, tag="permit-upgrade"):
    """body: the exact bytes of a Permission; signature: by the holder's share, kind "upgrade"."""

    holder: str
    body: bytes
    signature: bytes


class GetDrill(_Msg, frozen=True, tag="drill"):
    """The drill of this quorum that is open now; one is opened where there is none. Sealed or not."""

    quorum: QuorumName


class DrillReply(_Msg, frozen=True, tag="drill-reply"):
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


class HandInDrill(_Msg, frozen=True, tag="hand-in-drill"):
    """As HandIn; info of the box = `b"hsmpub drill share v1" + attempt + holder`."""

    quorum: QuorumName
    attempt: bytes
    holder: str
    box: bytes


class DrillHandInReply(_Msg, frozen=True, tag="hand-in-drill-reply"):
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


class HeaderReply(_Msg, frozen=True, tag="header-reply"):
    """The header that stands in the place of the file's own; it opens for the request's recipient."""

    header: bytes


class Done(_Msg, frozen=True, tag="done"):
    detail: str = ""


FrontMessage = (
    GetStatus | GetReady | OpenSession | Submit | SubmitPersonal | Approve | Decline | GetRequest | ListRequests
    | OpenBearer | LookUpBearer | RevokeBearer | SignDigests | GetKey | GetAttempt | HandIn | GetNonce
    | SealAsHolder | SayAlive | Confirm | GetUpgrade | PermitUpgrade | GetDrill | HandInDrill | GetKeys | AskTimestamp
)  # fmt: skip
FrontReply = (
    StatusReply | ReadyReply | SessionReply | RequestView | RequestList | SignReply | AttemptReply | HandInReply
    | BearerReply | BearerView | KeyReply | TimestampReply
    | NonceReply | UpgradeReply | DrillReply | DrillHandInReply | HeaderReply | KeysReply | Done | Problem
)  # fmt: skip


# --- courier channel -------------------------------------------------------------------------------


class GetJobs(_Msg, frozen=True, tag="jobs"):
    """Publish jobs that are ready: signed, every approval in place, not finished."""


class JobItem(msgspec.Struct, frozen=True):
    """One thing to publish. For git the item is the tag's name, `content` its exact object bytes, and sha256
    is of them; for files the bytes are in the artifact store under their digest."""

    name: str
    sha256: str
    size: int
    content: bytes = b""
    state: str = ""
    attempt: int = 0


class Job(msgspec.Struct, frozen=True):
    """settings: the target's table of the adopted policy."""

    request: str
    target: str
    kind: str
    settings: dict[str, str | bool | int]
    project: str
    version: str
    commit: str
    items: tuple[JobItem, ...]


class JobsReply(_Msg, frozen=True, tag="jobs-reply"):
    jobs: tuple[Job, ...]


class BeginAttempt(_Msg, frozen=True, tag="begin-attempt"):
    """Sent by the one child of a job: logs the intent durably, then leases the credential.

    child_key: raw X25519 public key made by the child; the credential comes HPKE-sealed to it."""

    request: str
    target: str
    item: str
    child_key: bytes


def lease_info(request: str, target: str, item: str) -> bytes:
    """What a lease's box is bound to: one item of one job."""
    return b"hsmpub lease v1\0" + "\0".join((request, target, item)).encode()


class Lease(_Msg, frozen=True, tag="lease"):
    """box: the credential, HPKE-sealed to child_key with `lease_info`."""

    attempt: int
    box: bytes


class RecordOutcome(_Msg, frozen=True, tag="outcome"):
    request: str
    target: str
    item: str
    attempt: int
    result: PublishResult
    observed: str = ""
    detail: str = ""


class GetIssuers(_Msg, frozen=True, tag="issuers"):
    """protections: of the courier, name → "on" or why it is off; `hsmpub status` names those that are off."""

    protections: dict[str, str] = {}


class IssuerToFetch(msgspec.Struct, frozen=True):
    name: str
    url: str
    loopback: bool = False


class IssuersReply(_Msg, frozen=True, tag="issuers-reply"):
    issuers: tuple[IssuerToFetch, ...]


class OfferIssuerKeys(_Msg, frozen=True, tag="offer-issuer-keys"):
    """url: of the issuer whose keys these are; the policy may mean another one by that name meanwhile."""

    issuer: str
    url: str
    jwks: bytes


CourierMessage = GetJobs | BeginAttempt | RecordOutcome | GetIssuers | OfferIssuerKeys
CourierReply = JobsReply | Lease | IssuersReply | Done | Problem


class FrontCall(msgspec.Struct, frozen=True, array_like=True):
    id: int
    message: FrontMessage


class FrontAnswer(msgspec.Struct, frozen=True, array_like=True):
    id: int
    reply: FrontReply


class CourierCall(msgspec.Struct, frozen=True, array_like=True):
    id: int
    message: CourierMessage


class CourierAnswer(msgspec.Struct, frozen=True, array_like=True):
    id: int
    reply: CourierReply
