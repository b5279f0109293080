"""Requests: made, listed, shown, approved or refused."""

from __future__ import annotations

import re
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request, Response

from api.body import read_body
from api.front import Front, front_of
from api.headers import SIGNATURE, base64_value, ci_headers, header
from api.openapi import operation
from api.reply import bytes_reply, json_reply
from hsmpub.errors import NotFound
from hsmpub.model.personal import AskHeader, AskSeal, PersonalBody
from hsmpub.model.statement import PAYLOAD_TYPE
from hsmpub.model.submission import AskRelease
from hsmpub.wire import messages as m

router = APIRouter(default_response_class=Response)
_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")
_RELEASE = {
    "ask": "release",
    "project": "sdk-python",
    "version": "1.2.3",
    "commit": "9fceb02d0ae598e95dc970b74767f19372d61af8",
    "files": [{"name": "sdk-1.2.3.tar.gz", "sha256": "e3b0c442…", "size": 104857}],
}


class NoSuchRequest(NotFound):
    advice = "See 'hsmpub release list'."


class SignatureBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """signature: armoured SSHSIG over the pre-authentication encoding (DSSE PAE) of the statement's exact bytes."""

    person: str
    signature: str


_signature = msgspec.json.Decoder(SignatureBody)
_EXAMPLE = {"person": "release-manager", "signature": "-----BEGIN SSH SIGNATURE-----\n…"}


def check_request_id(request: str) -> None:
    """Raises NoSuchRequest: no id of a request has this form."""
    if not _ID.fullmatch(request):
        raise NoSuchRequest("There is no request of that name.")


async def view_of(front: Front, request: str) -> m.RequestView:
    """The request as the keeper shows it."""
    check_request_id(request)
    reply = await front.keeper.call(m.GetRequest(request))
    assert isinstance(reply, m.RequestView)
    return reply


@router.post(
    "/v1/requests",
    tags=["ci", "people"],
    summary="Ask for a release, or as a person for a policy, roster, credential or decryption",
    status_code=201,
    openapi_extra=operation(body=AskRelease | PersonalBody, example=_RELEASE, reply=m.RequestView, status=201,
                            headers=("ci", "person"), says="The request stands."),
)  # fmt: skip
async def submit(request: Request) -> Response:
    """The body's exact bytes count: a CI job sends their MAC, a person their SSH signature."""
    front = front_of(request)
    reply = await _forward(front, request)
    if isinstance(reply, m.RequestView):
        return json_reply(reply, 201, {"location": f"/v1/requests/{reply.request}"})
    return json_reply(reply)


@router.post(
    "/v1/seal",
    tags=["people"],
    summary="Seal at once",
    openapi_extra=operation(body=AskSeal, reply=m.Done, headers=("person",), says="Sealed.",
                            example={"ask": "seal", "person": "release-manager", "nonce": "5f0c…", "at": 1795000000}),
)  # fmt: skip
async def seal(request: Request) -> Response:
    """One enrolled person is enough to seal; a quorum of holders unseals again."""
    return json_reply(await _forward(front_of(request), request))


@router.post(
    "/v1/headers",
    tags=["people"],
    summary="Fetch the header that an approved decryption has made",
    openapi_extra=operation(body=AskHeader, reply=m.HeaderReply, headers=("person",), says="The header.",
                            example={"ask": "header", "person": "release-manager", "nonce": "5f0c…", "at": 1795000000,
                                     "request": "9f6c1f0e5a8b7c21"}),
)  # fmt: skip
async def header_of(request: Request) -> Response:
    """For who asked for it, for seven days. It opens for the recipient that was approved, and nobody else."""
    return json_reply(await _forward(front_of(request), request))


async def _forward(front: Front, request: Request) -> m.FrontReply:
    caps = front.settings.front
    headers = request.scope["headers"]
    signature = header(headers, SIGNATURE)
    if signature:
        front.check_costly(request)
        armoured = base64_value(signature, SIGNATURE)
        body = await read_body(request.scope, request.receive, cap=caps.max_body_bytes, timeout=caps.body_timeout)
        return await front.keeper.call(m.SubmitPersonal(body, armoured))
    session, counter, mac = ci_headers(headers)
    front.check_session_rate(session, request.scope.get("client"))
    body = await read_body(request.scope, request.receive, cap=caps.max_body_bytes, timeout=caps.body_timeout)
    return await front.keeper.call(m.Submit(session, counter, mac, body))


@router.get(
    "/v1/requests",
    tags=["people"],
    summary="List requests",
    openapi_extra=operation(reply=m.RequestList, says="The newest 200 requests, in the order of their making."),
)
async def requests(request: Request, still_open: Annotated[bool, Query(alias="open")] = True) -> Response:
    """`open=1` (the default) lists those that still wait for somebody or something."""
    front = front_of(request)
    front.check_costly(request)  # the keeper reads each statement back from the log
    return json_reply(await front.keeper.call(m.ListRequests(still_open)))


@router.get(
    "/v1/requests/{name}",
    tags=["people"],
    summary="Show a request",
    openapi_extra=operation(reply=m.RequestView, says="The request; `statement` is base64 of the exact bytes."),
)
async def show(request: Request, name: str) -> Response:
    """State, approvals that stand and that lack, publishing, and the entries of the log about it."""
    return json_reply(await view_of(front_of(request), name))


@router.get(
    "/v1/requests/{name}/statement",
    tags=["people"],
    summary="The exact bytes that approvers sign",
    openapi_extra=operation(reply=bytes, reply_type=PAYLOAD_TYPE, says="An in-toto statement."),
)
async def statement(request: Request, name: str) -> Response:
    """What is signed is their pre-authentication encoding (DSSE PAE), not the bytes alone."""
    view = await view_of(front_of(request), name)
    return bytes_reply(view.statement, PAYLOAD_TYPE)


@router.post(
    "/v1/requests/{name}/approvals",
    tags=["people"],
    summary="Approve a request",
    openapi_extra=operation(body=SignatureBody, example=_EXAMPLE, reply=m.RequestView, says="The approval counts."),
)
async def approve(request: Request, name: str) -> Response:
    """Namespace of the signature: `hsmpub-approval`."""
    front, signed = await _signed(request, name)
    return json_reply(await front.keeper.call(m.Approve(name, signed.person, signed.signature.encode())))


@router.post(
    "/v1/requests/{name}/refusals",
    tags=["people"],
    summary="Refuse a request for good",
    openapi_extra=operation(body=SignatureBody, example=_EXAMPLE, reply=m.RequestView, says="The request is refused."),
)
async def decline(request: Request, name: str) -> Response:
    """Namespace of the signature: `hsmpub-refusal`."""
    front, signed = await _signed(request, name)
    return json_reply(await front.keeper.call(m.Decline(name, signed.person, signed.signature.encode())))


async def _signed(request: Request, name: str) -> tuple[Front, SignatureBody]:
    check_request_id(name)
    front = front_of(request)
    return front, await front.costly_body(request, _signature, cap=64 * 1024)
