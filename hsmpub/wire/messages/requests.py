"""Requests of CI jobs and people, approvals, and how they stand."""

from __future__ import annotations

import msgspec

from hsmpub.wire.messages.message import Message


class Submit(Message, frozen=True, tag="submit"):
    """A CI job's request. mac: see hsmpub.wire.session; body: exact bytes of a CiBody."""

    session: bytes
    counter: int
    mac: bytes
    body: bytes


class SubmitPersonal(Message, frozen=True, tag="submit-personal"):
    """A person's request. body: exact bytes of a PersonalBody; signature: armoured SSHSIG over them."""

    body: bytes
    signature: bytes


class Approve(Message, frozen=True, tag="approve"):
    request: str
    person: str
    signature: bytes


class Decline(Message, frozen=True, tag="decline"):
    request: str
    person: str
    signature: bytes


class GetRequest(Message, frozen=True, tag="request"):
    request: str


class ListRequests(Message, frozen=True, tag="requests"):
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


class RequestView(Message, frozen=True, tag="request-view"):
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


class RequestList(Message, frozen=True, tag="request-list"):
    requests: tuple[RequestView, ...]


class HeaderReply(Message, frozen=True, tag="header-reply"):
    """The header that stands in the place of the file's own; it opens for the request's recipient."""

    header: bytes
