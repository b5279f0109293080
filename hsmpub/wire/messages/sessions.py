"""Sessions of CI jobs, and bearers for programs that cannot authenticate each request."""

from __future__ import annotations

from hsmpub.wire.messages.message import Message


class OpenSession(Message, frozen=True, tag="open-session"):
    """token: the CI identity token as sent; client_key: raw X25519 public key, 32 bytes."""

    token: bytes
    client_key: bytes


class SessionReply(Message, frozen=True, tag="session-reply"):
    """keeper_key: raw X25519 public key of this session; signature: of the keeper's identity (Ed25519) over
    `b"hsmpub session v1" + session + client_key + keeper_key`. The session's MAC key is known to client and
    keeper only (see hsmpub.wire.session)."""

    session: bytes
    keeper_key: bytes
    signature: bytes
    expires_at: int


class OpenBearer(Message, frozen=True, tag="open-bearer"):
    """A session for a program that cannot authenticate each request (hsmpub.keeper.bearers).

    token: CI identity token with the plain audience, as sent; project: the only one that it is for."""

    token: bytes
    project: str


class BearerReply(Message, frozen=True, tag="bearer-reply"):
    """bearer: 32 random bytes: whoever holds them may ask, until `expires_at`."""

    bearer: bytes
    expires_at: int


class LookUpBearer(Message, frozen=True, tag="look-up-bearer"):
    bearer: bytes


class RevokeBearer(Message, frozen=True, tag="revoke-bearer"):
    bearer: bytes


class BearerView(Message, frozen=True, tag="bearer-view"):
    """How a bearer session stands. Times: seconds since 1970, by the keeper's clock."""

    project: str
    opened_at: int
    expires_at: int
    now: int
