"""The closed sets of messages to the keeper. There is no other way to command it.

Front channel: `FrontMessage` in, `FrontReply` or `Problem` out. Courier channel: `CourierMessage` in,
`CourierReply` or `Problem` out. A frame is a four-byte big-endian length and one msgpack map.
The keeper answers the frames of one connection in their order of completion; the `id` of call and answer pairs them.
"""

from __future__ import annotations

import msgspec

from hsmpub.errors import Problem
from hsmpub.wire.messages.drills import DrillHandInReply, DrillReply, GetDrill, HandInDrill
from hsmpub.wire.messages.holders import (
    Confirm,
    GetNonce,
    GetUpgrade,
    NonceReply,
    PermissionView,
    PermitUpgrade,
    SayAlive,
    SealAsHolder,
    UpgradeReply,
)
from hsmpub.wire.messages.message import Done
from hsmpub.wire.messages.publishing import (
    BeginAttempt,
    GetIssuers,
    GetJobs,
    IssuersReply,
    IssuerToFetch,
    Job,
    JobItem,
    JobsReply,
    Lease,
    OfferIssuerKeys,
    RecordOutcome,
    lease_info,
)
from hsmpub.wire.messages.quorum import Gathered, GroupProgress, QuorumName
from hsmpub.wire.messages.requests import (
    ApprovalView,
    Approve,
    Decline,
    GetRequest,
    HeaderReply,
    ListRequests,
    PublishView,
    RequestList,
    RequestView,
    Submit,
    SubmitPersonal,
)
from hsmpub.wire.messages.sessions import (
    BearerReply,
    BearerView,
    LookUpBearer,
    OpenBearer,
    OpenSession,
    RevokeBearer,
    SessionReply,
)
from hsmpub.wire.messages.signing import AskTimestamp, MadeSignature, SignDigests, SignReply, TimestampReply
from hsmpub.wire.messages.status import (
    GetKey,
    GetKeys,
    GetReady,
    GetStatus,
    KeyReply,
    KeysReply,
    OpeningView,
    QuorumView,
    ReadyReply,
    StatusReply,
    WaitingSet,
    intake_to_sign,
    keys_to_sign,
)
from hsmpub.wire.messages.unsealing import AttemptReply, GetAttempt, HandIn, HandInReply

__all__ = [
    "ApprovalView", "Approve", "AskTimestamp", "AttemptReply", "BearerReply", "BearerView", "BeginAttempt",
    "Confirm", "CourierAnswer", "CourierCall", "CourierMessage", "CourierReply", "Decline", "Done",
    "DrillHandInReply", "DrillReply", "FrontAnswer", "FrontCall", "FrontMessage", "FrontReply", "Gathered",
    "GetAttempt", "GetDrill", "GetIssuers", "GetJobs", "GetKey", "GetKeys", "GetNonce", "GetReady", "GetRequest",
    "GetStatus", "GetUpgrade", "GroupProgress", "HandIn", "HandInDrill", "HandInReply", "HeaderReply",
    "IssuerToFetch", "IssuersReply", "Job", "JobItem", "JobsReply", "KeyReply", "KeysReply", "Lease",
    "ListRequests", "LookUpBearer", "MadeSignature", "NonceReply", "OfferIssuerKeys", "OpenBearer", "OpenSession",
    "OpeningView", "PermissionView", "PermitUpgrade", "PublishView", "QuorumName", "QuorumView", "ReadyReply",
    "RecordOutcome", "RequestList", "RequestView", "RevokeBearer", "SayAlive", "SealAsHolder", "SessionReply",
    "SignDigests", "SignReply", "StatusReply", "Submit", "SubmitPersonal", "TimestampReply", "UpgradeReply",
    "WaitingSet", "intake_to_sign", "keys_to_sign", "lease_info",
]  # fmt: skip

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
