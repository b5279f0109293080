"""What programs of the transit API ask about their own token."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response

from api.bearer import bearer_of
from api.front import front_of
from api.openapi import operation
from api.reply import json_reply
from api.vault import DataReply
from hsmpub.errors import Invalid
from hsmpub.wire import messages as m

router = APIRouter(default_response_class=Response)


class TokenNotRenewable(Invalid):
    advice = "Log in again at /v1/auth/jwt/login with a fresh identity token."


async def _view(request: Request) -> m.BearerView:
    front = front_of(request)
    front.check_costly(request)
    reply = await front.keeper.call(m.LookUpBearer(bearer_of(request)))
    assert isinstance(reply, m.BearerView)
    return reply


@router.get(
    "/v1/auth/token/lookup-self",
    tags=["transit"],
    summary="How the own token stands",
    openapi_extra=operation(reply=DataReply, headers=("bearer",), says="For which project it is, and until when."),
)
async def look_up(request: Request) -> Response:
    """As Vault tells of a batch token: it cannot be renewed."""
    view = await _view(request)
    ends, ttl = datetime.fromtimestamp(view.expires_at, UTC), max(0, view.expires_at - view.now)
    return json_reply(DataReply(data={
        "accessor": "", "creation_time": view.opened_at, "creation_ttl": view.expires_at - view.opened_at,
        "display_name": f"jwt-{view.project}", "entity_id": "", "expire_time": ends.isoformat(), "explicit_max_ttl": 0,
        "id": "", "issue_time": datetime.fromtimestamp(view.opened_at, UTC).isoformat(),
        "meta": {"role": view.project}, "num_uses": 0, "orphan": True, "path": "auth/jwt/login",
        "policies": [view.project], "renewable": False, "ttl": ttl, "type": "batch",
    }))  # fmt: skip


@router.put("/v1/auth/token/renew-self", include_in_schema=False)
@router.post(
    "/v1/auth/token/renew-self",
    tags=["transit"],
    summary="Refused: tokens are not renewed",
    openapi_extra=operation(reply=DataReply, headers=("bearer",), says="Never."),
)
async def renew(request: Request) -> Response:
    """As Vault answers for a batch token. A quarter of an hour is what one identity token is worth."""
    await _view(request)
    raise TokenNotRenewable("Tokens of this service are batch tokens, which cannot be renewed.")


@router.put("/v1/auth/token/revoke-self", include_in_schema=False)
@router.post(
    "/v1/auth/token/revoke-self",
    tags=["transit"],
    summary="End the own token",
    status_code=204,
    openapi_extra=operation(status=204, headers=("bearer",), says="It is good for nothing any more."),
)
async def revoke(request: Request) -> Response:
    """A job that ends early ends its token, too."""
    front = front_of(request)
    front.check_costly(request)
    await front.keeper.call(m.RevokeBearer(bearer_of(request)))
    return Response(status_code=204)
