"""The part of Vault's transit API that signs: for programs that speak it already.

A program logs in with a CI identity token (`auth/jwt/login`) and gets a bearer for a quarter of an hour. The front sees
it, as it sees all that these programs send; SECURITY.md says what that costs.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response

from api.bearer import bearer_of, bucket_of
from api.body import json_body
from api.front import Front, front_of
from api.openapi import operation
from api.reply import json_reply
from api.transit import (
    Login,
    TransitBody,
    TransitRefused,
    check_options,
    describe_key,
    is_valid,
    name_in_log,
    results,
    spell,
    to_sign,
)
from api.vault import AuthReply, DataReply
from hsmpub.model.key import KeyRecord
from hsmpub.wire import messages as m

router = APIRouter(default_response_class=Response)
_login = msgspec.json.Decoder(Login)
_body = msgspec.json.Decoder(TransitBody)
_EXAMPLE = {"input": "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=", "prehashed": True}
_TO_VERIFY = {**_EXAMPLE, "signature": "vault:v1:MEUCIQ…"}


@router.put("/v1/auth/jwt/login", include_in_schema=False)
@router.post(
    "/v1/auth/jwt/login",
    tags=["transit"],
    summary="Log in with a CI identity token",
    openapi_extra=operation(
        body=Login, example={"role": "sdk-python", "jwt": "eyJhbGciOi…"}, reply=AuthReply, says="A client token."
    ),
)
async def login(request: Request) -> Response:
    """`role` is the project. Only for issuers that the policy says `bearer = true` of."""
    front = front_of(request)
    asked = await front.costly_body(request, _login, cap=64 * 1024)
    reply = await front.keeper.call(m.OpenBearer(asked.jwt.encode(), asked.role))
    assert isinstance(reply, m.BearerReply)
    front.sessions.learn(bucket_of(reply.bearer), reply.expires_at)
    left = max(0, reply.expires_at - int(datetime.now(UTC).timestamp()))
    return json_reply(AuthReply.of(base64.urlsafe_b64encode(reply.bearer).decode(), asked.role, left))


@router.get(
    "/v1/transit/keys/{name}",
    tags=["transit"],
    summary="A public key",
    openapi_extra=operation(reply=DataReply, says="As version 1, the only one."),
)
async def key(request: Request, name: str) -> Response:
    """Needs no token. What comes is no more to be trusted than the front: pin keys from trust.json."""
    record = await _key(front_of(request), name)
    created = datetime.fromtimestamp(record.created_at, UTC).isoformat()
    return json_reply(DataReply(data=describe_key(record, created)))


@router.put("/v1/transit/sign/{name}", include_in_schema=False)
@router.post(
    "/v1/transit/sign/{name}",
    tags=["transit"],
    summary="Sign digests",
    openapi_extra=operation(
        body=TransitBody,
        example=_EXAMPLE,
        reply=DataReply,
        headers=("bearer",),
        says="One signature, or one for each of a batch.",
    ),
)
async def sign(request: Request, name: str) -> Response:
    """Signatures of the formats `der-signature` and, for Ed25519, `ed25519-signature`, in one entry of the log."""
    return await sign_under(request, name, "")


@router.put("/v1/transit/sign/{name}/{hash_name}", include_in_schema=False)
@router.post("/v1/transit/sign/{name}/{hash_name}", include_in_schema=False)
async def sign_under(request: Request, name: str, hash_name: str) -> Response:
    """As `sign`, with the hash in the path."""
    front, bearer = front_of(request), bearer_of(request)
    front.check_session_rate(bucket_of(bearer), request.scope.get("client"))
    body, record = await _asked(front, request, name, hash_name)
    items = [to_sign(item, body, record.kind) for item in body.items]
    unlike = tuple(dict.fromkeys(items))
    reply = await front.keeper.call(m.SignDigests(bearer, name, unlike))
    assert isinstance(reply, m.SignReply)
    by_name = {one.artifact: one for one in reply.made}  # what was refused comes first
    made = [by_name[name_in_log(item, record.kind)] for item in items]
    told = [_told(one, body, record.kind) for one in made]
    if body.batch_input is None and (problem := made[0].problem) is not None:
        raise problem.as_error()
    return json_reply(DataReply(data=results(body.items, told, body.batch_input is not None)))


@router.put("/v1/transit/verify/{name}", include_in_schema=False)
@router.post(
    "/v1/transit/verify/{name}",
    tags=["transit"],
    summary="Verify signatures",
    openapi_extra=operation(
        body=TransitBody, example=_TO_VERIFY, reply=DataReply, says="`valid`, for one signature or for each."
    ),
)
async def verify(request: Request, name: str) -> Response:
    """The front's word only. Needs no token."""
    return await verify_under(request, name, "")


@router.put("/v1/transit/verify/{name}/{hash_name}", include_in_schema=False)
@router.post("/v1/transit/verify/{name}/{hash_name}", include_in_schema=False)
async def verify_under(request: Request, name: str, hash_name: str) -> Response:
    """As `verify`, with the hash in the path."""
    front = front_of(request)
    front.check_costly(request)
    body, record = await _asked(front, request, name, hash_name)
    told = [{"valid": is_valid(item, body, record)} for item in body.items]
    return json_reply(DataReply(data=results(body.items, told, body.batch_input is not None)))


async def _asked(front: Front, request: Request, name: str, hash_name: str) -> tuple[TransitBody, KeyRecord]:
    caps = front.settings.front
    body = await json_body(request, _body, cap=caps.max_body_bytes, timeout=caps.body_timeout)
    record = await _key(front, name)
    check_options(body, record.kind, hash_name)
    if not body.items:
        raise TransitRefused("The batch is empty.")
    return body, record


async def _key(front: Front, name: str) -> KeyRecord:
    reply = await front.keeper.call(m.GetKey(name))
    assert isinstance(reply, m.KeyReply)
    return reply.key


def _told(made: m.MadeSignature, body: TransitBody, kind: str) -> dict[str, Any]:
    if made.problem is not None:
        return {"error": f"{made.problem.rule}: {made.problem.detail}"}
    return {"signature": spell(made.output, body, kind), "key_version": 1}
