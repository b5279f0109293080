"""What the courier and its children ask for: jobs, leases, issuers."""

from __future__ import annotations

import msgspec

from hsmpub.model.entry import PublishResult
from hsmpub.wire.messages.message import Message


class GetJobs(Message, frozen=True, tag="jobs"):
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


class JobsReply(Message, frozen=True, tag="jobs-reply"):
    jobs: tuple[Job, ...]


class BeginAttempt(Message, frozen=True, tag="begin-attempt"):
    """Sent by the one child of a job: logs the intent durably, then leases the credential.

    child_key: raw X25519 public key made by the child; the credential comes HPKE-sealed to it."""

    request: str
    target: str
    item: str
    child_key: bytes


def lease_info(request: str, target: str, item: str) -> bytes:
    """What a lease's box is bound to: one item of one job."""
    return b"hsmpub lease v1\0" + "\0".join((request, target, item)).encode()


class Lease(Message, frozen=True, tag="lease"):
    """box: the credential, HPKE-sealed to child_key with `lease_info`."""

    attempt: int
    box: bytes


class RecordOutcome(Message, frozen=True, tag="outcome"):
    request: str
    target: str
    item: str
    attempt: int
    result: PublishResult
    observed: str = ""
    detail: str = ""


class GetIssuers(Message, frozen=True, tag="issuers"):
    """protections: of the courier, name → "on" or why it is off; `hsmpub status` names those that are off."""

    protections: dict[str, str] = msgspec.field(default_factory=dict)


class IssuerToFetch(msgspec.Struct, frozen=True):
    name: str
    url: str
    loopback: bool = False


class IssuersReply(Message, frozen=True, tag="issuers-reply"):
    issuers: tuple[IssuerToFetch, ...]


class OfferIssuerKeys(Message, frozen=True, tag="offer-issuer-keys"):
    """url: of the issuer whose keys these are; the policy may mean another one by that name meanwhile."""

    issuer: str
    url: str
    jwks: bytes
