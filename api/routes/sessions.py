"""Where a CI job begins: an identity token and a key of its own become a session."""

from __future__ import annotations

import msgspec
from fastapi import APIRouter, Request, Response

from api.front import front_of
from api.openapi import operation
from api.reply import json_reply
from hsmpub.wire.messages import OpenSession, SessionReply

router = APIRouter(default_response_class=Response)


class SessionBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """token: the CI identity token, whose audience is bound to client_key; client_key: raw X25519 key, base64."""

    token: str
    client_key: bytes


_decoder = msgspec.json.Decoder(SessionBody)
_EXAMPLE = {"token": "eyJhbGciOi…", "client_key": "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08="}


@router.post(
    "/v1/sessions",
    tags=["ci"],
    summary="Open a session with a CI identity token",
    openapi_extra=operation(body=SessionBody, example=_EXAMPLE, reply=SessionReply, says="The session is open."),
)
async def open_session(request: Request) -> Response:
    """The token's audience must be `<audience>#<base64url SHA-256 of client_key>`. The reply is signed by the keeper's
    identity: check it against the pinned key before you use the session."""
    front = front_of(request)
    asked = await front.costly_body(request, _decoder, cap=64 * 1024)
    reply = await front.keeper.call(OpenSession(asked.token.encode(), asked.client_key))
    if isinstance(reply, SessionReply):
        front.sessions.learn(reply.session, reply.expires_at)
    return json_reply(reply)
