"""The part of Vault's transit API that signs: for programs that speak it already.

A program logs in with a CI identity token (`auth/jwt/login`) and gets a bearer for a quarter of an hour. The front sees
it, as it sees all that these programs send; SECURITY.md says what that costs.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response

from api.body import json_body
from api.front import Front, front_of
from api.headers import header
from api.openapi import operation
from api.problem import problem_of
from api.reply import json_reply
from api.transit import (
    Login,
    TransitBody,
    TransitRefused,
    check_options,
    describe_key,
    is_valid,
    results,
    spell,
    to_sign,
)
from hsmpub.errors import HsmpubError, Unauthenticated
from hsmpub.model.key import KeyRecord
from hsmpub.wire import messages as m

router = APIRouter(default_response_class=Response)
_login = msgspec.json.Decoder(Login)
_body = msgspec.json.Decoder(TransitBody)
_EMPTY = {"request_id": "", "lease_id": "", "renewable": False, "lease_duration": 0,
          "data": None, "wrap_info": None, "warnings": None, "auth": None}  # fmt: skip
_EXAMPLE = {"input": "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=", "prehashed": True}
_TO_VERIFY = {**_EXAMPLE, "signature": "vault:v1:MEUCIQ…"}
Route = Callable[..., Awaitable[Response]]


class BearerMissing(Unauthenticated):
    advice = "Log in at /v1/auth/jwt/login and send the client_token as X-Vault-Token."


def _in_its_words(route: Route) -> Route:
    """Refusals in the form that these programs print."""

    @wraps(route)
    async def answered(*given: Any, **named: Any) -> Response:
        try:
            return await route(*given, **named)
        except HsmpubError as error:
            problem, status = problem_of(error)
            told = f"{problem.rule}: {problem.detail} {problem.next_step}".strip()
            return json_reply({"errors": [told]}, status)

    return answered


@router.put("/v1/auth/jwt/login", include_in_schema=False)
@router.post(
    "/v1/auth/jwt/login",
    tags=["transit"],
    summary="Log in with a CI identity token",
    openapi_extra=operation(body=Login, example={"role": "sdk-python", "jwt": "eyJhbGciOi…"}, says="A client token."),
)
@_in_its_words
async def login(request: Request) -> Response:
    """`role` is the project. Only for issuers that the policy says `bearer = true` of."""
    front = front_of(request)
    front.check_costly(request)
    asked = await json_body(request, _login, cap=64 * 1024, timeout=front.settings.front.body_timeout)
    reply = await front.keeper.call(m.OpenBearer(asked.jwt.encode(), asked.role))
    assert isinstance(reply, m.BearerReply)
    front.sessions.learn(_bucket(reply.bearer), reply.expires_at)
    left = max(0, reply.expires_at - int(datetime.now(UTC).timestamp()))
    token = base64.urlsafe_b64encode(reply.bearer).decode()
    auth = {"client_token": token, "accessor": "", "policies": [asked.role], "token_policies": [asked.role],
            "metadata": {"role": asked.role}, "lease_duration": left, "renewable": False, "entity_id": "",
            "token_type": "batch", "orphan": True, "num_uses": 0}  # fmt: skip
    return json_reply({**_EMPTY, "auth": auth})


@router.get("/v1/transit/keys/{name}", tags=["transit"], summary="A public key", openapi_extra=operation())
@_in_its_words
async def key(request: Request, name: str) -> Response:
    """Needs no token. What comes is no more to be trusted than the front: pin keys from trust.json."""
    record = await _key(front_of(request), name)
    created = datetime.fromtimestamp(record.created_at, UTC).isoformat()
    return json_reply({**_EMPTY, "data": describe_key(record, created)})


@router.put("/v1/transit/sign/{name}", include_in_schema=False)
@router.put("/v1/transit/sign/{name}/{hash_name}", include_in_schema=False)
@router.post("/v1/transit/sign/{name}/{hash_name}", include_in_schema=False)
@router.post(
    "/v1/transit/sign/{name}",
    tags=["transit"],
    summary="Sign digests",
    openapi_extra=operation(body=TransitBody, example=_EXAMPLE, says="One signature, or one for each of a batch."),
)
@_in_its_words
async def sign(request: Request, name: str, hash_name: str = "") -> Response:
    """Signatures of the formats `der-signature` and, for Ed25519, `ed25519-signature`, in one entry of the log."""
    front, bearer = front_of(request), _bearer(request)
    front.check_session_rate(_bucket(bearer), request.scope.get("client"))
    body, record = await _asked(front, request, name, hash_name)
    items = [to_sign(item, body, record.kind) for item in body.items]
    unlike = tuple(dict.fromkeys(items))
    reply = await front.keeper.call(m.SignDigests(bearer, name, unlike))
    assert isinstance(reply, m.SignReply)
    made = dict(zip(unlike, reply.made, strict=True))
    told = [_told(made[item], body, record.kind) for item in items]
    if body.batch_input is None and (problem := made[items[0]].problem) is not None:
        raise problem.as_error()
    return json_reply({**_EMPTY, "data": results(body.items, told, body.batch_input is not None)})


@router.put("/v1/transit/verify/{name}", include_in_schema=False)
@router.put("/v1/transit/verify/{name}/{hash_name}", include_in_schema=False)
@router.post("/v1/transit/verify/{name}/{hash_name}", include_in_schema=False)
@router.post(
    "/v1/transit/verify/{name}",
    tags=["transit"],
    summary="Verify signatures",
    openapi_extra=operation(body=TransitBody, example=_TO_VERIFY, says="`valid`, for one signature or for each."),
)
@_in_its_words
async def verify(request: Request, name: str, hash_name: str = "") -> Response:
    """The front's word only. Needs no token."""
    front = front_of(request)
    front.check_costly(request)
    body, record = await _asked(front, request, name, hash_name)
    told = [{"valid": is_valid(item, body, record)} for item in body.items]
    return json_reply({**_EMPTY, "data": results(body.items, told, body.batch_input is not None)})


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


def _bearer(request: Request) -> bytes:
    """Raises BearerMissing."""
    sent = header(request.scope["headers"], b"x-vault-token")
    try:
        bearer = base64.urlsafe_b64decode(sent)
    except (binascii.Error, ValueError):
        bearer = b""
    if len(bearer) != 32:
        raise BearerMissing("The request carries no client token of this service.")
    return bearer


def _bucket(bearer: bytes) -> bytes:
    """By which the front counts requests; it keeps no bearer."""
    return hashlib.sha256(bearer).digest()
