"""What holders do with a signature by their share: seal, say that they are there, permit an upgrade."""

from __future__ import annotations

import msgspec
from fastapi import APIRouter, Request, Response

from api.front import front_of
from api.openapi import operation
from api.reply import json_reply
from hsmpub.wire import messages as m

router = APIRouter(default_response_class=Response)


class HolderSealBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """nonce: of `GET /v1/holders/nonce`; signature: by the share, kind "seal"; both base64."""

    holder: str
    nonce: bytes
    signature: bytes
    reason: str = ""


class AliveBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """nonce: of `GET /v1/holders/nonce`; signature: by the share, kind "alive"; both base64."""

    holder: str
    nonce: bytes
    signature: bytes


class ConfirmBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """confirmation: the file that `hsmpub-ceremony share check --confirmation` wrote, base64."""

    confirmation: bytes


class PermissionBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """body: the exact bytes of a permission; signature: by the share, kind "upgrade"; both base64."""

    holder: str
    body: bytes
    signature: bytes


_permission = msgspec.json.Decoder(PermissionBody)
_seal = msgspec.json.Decoder(HolderSealBody)
_alive = msgspec.json.Decoder(AliveBody)
_confirm = msgspec.json.Decoder(ConfirmBody)
_EXAMPLE = {"holder": "holder-1", "nonce": "AAAAAGqr…", "signature": "9nX…"}


@router.get(
    "/v1/holders/nonce",
    tags=["holders"],
    summary="A nonce for a holder's signature",
    openapi_extra=operation(reply=m.NonceReply, says="Good for five minutes and one signature."),
)
async def nonce(request: Request) -> Response:
    """A share signs it with what is asked, so that no signature counts twice."""
    return json_reply(await front_of(request).keeper.call(m.GetNonce()))


@router.post(
    "/v1/holders/seal",
    tags=["holders"],
    summary="Seal at once, as a holder",
    openapi_extra=operation(body=HolderSealBody, example=_EXAMPLE, reply=m.Done, says="Sealed."),
)
async def seal(request: Request) -> Response:
    """One holder is enough to seal; a quorum of them unseals again."""
    front = front_of(request)
    body = await front.costly_body(request, _seal, cap=16 * 1024)
    return json_reply(await front.keeper.call(m.SealAsHolder(body.holder, body.nonce, body.reason, body.signature)))


@router.post(
    "/v1/holders/alive",
    tags=["holders"],
    summary="Say that a holder is there",
    openapi_extra=operation(body=AliveBody, example=_EXAMPLE, reply=m.Done, says="Noted in the log."),
)
async def alive(request: Request) -> Response:
    """The dead-man's interval starts anew."""
    front = front_of(request)
    body = await front.costly_body(request, _alive, cap=16 * 1024)
    return json_reply(await front.keeper.call(m.SayAlive(body.holder, body.nonce, body.signature)))


@router.post(
    "/v1/holders/confirm",
    tags=["holders"],
    summary="Confirm a share that was made for a holder",
    openapi_extra=operation(body=ConfirmBody, example={"confirmation": "eyJjb25maXJtYX…"}, reply=m.Done, says="Kept."),
)
async def confirm(request: Request) -> Response:
    """A set that a reshare made comes into force when every holder has confirmed."""
    front = front_of(request)
    body = await front.costly_body(request, _confirm, cap=16 * 1024)
    return json_reply(await front.keeper.call(m.Confirm(body.confirmation)))


@router.get(
    "/v1/upgrade",
    tags=["holders"],
    summary="What code would come next, and who permits it",
    openapi_extra=operation(reply=m.UpgradeReply, says="Digests, and the permissions that holders have signed."),
)
async def upgrade(request: Request) -> Response:
    """`running` and `next` are digests of the code; `why` says what keeps an upgrade away."""
    front = front_of(request)
    front.check_costly(request)
    return json_reply(await front.keeper.call(m.GetUpgrade()))


@router.post(
    "/v1/upgrade/permissions",
    tags=["holders"],
    summary="Permit the keeper to go on in new code, as a holder",
    openapi_extra=operation(body=PermissionBody, reply=m.UpgradeReply, says="Counted.",
                            example={"holder": "holder-1", "body": "eyJiZWdpbnMiOj…", "signature": "9nX…"}),
)  # fmt: skip
async def permit(request: Request) -> Response:
    """A quorum of holders signs the same bytes; the keeper uses the permission once."""
    front = front_of(request)
    body = await front.costly_body(request, _permission, cap=16 * 1024)
    return json_reply(await front.keeper.call(m.PermitUpgrade(body.holder, body.body, body.signature)))
