"""Unsealing: holders hand in their shares, encrypted to the keeper's attempt. The front sees boxes only."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request, Response

from api.front import front_of
from api.openapi import operation
from api.reply import json_reply
from hsmpub.model.terms import MAX_PROJECTS, MAX_SECONDS, MAX_SIGNATURES, UNLIMITED, Terms, make_terms
from hsmpub.wire import messages as m

router = APIRouter(default_response_class=Response)


class ShareBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """attempt: id of the attempt, base64; box: the share, HPKE-sealed to the attempt's key and terms, base64.

    terms: those of the attempt, as the keeper signed them; the share counts under no others.
    """

    attempt: bytes
    holder: str
    box: bytes
    terms: Terms = UNLIMITED


decode_share = msgspec.json.Decoder(ShareBody)


@router.get(
    "/v1/unseal",
    tags=["holders"],
    summary="The unseal attempt that is open now",
    openapi_extra=operation(reply=m.AttemptReply, says="The attempt, signed by the keeper's identity."),
)
async def attempt(
    request: Request,
    seconds: Annotated[int | None, Query(ge=1, le=MAX_SECONDS)] = None,
    signatures: Annotated[int | None, Query(ge=1, le=MAX_SIGNATURES)] = None,
    project: Annotated[list[str] | None, Query(max_length=MAX_PROJECTS)] = None,
) -> Response:
    """Under the terms that are asked for, or without limits. Check the signature against the pinned keeper key, and the
    terms against what you agree to, before you encrypt a share to `key`."""
    front = front_of(request)
    front.check_costly(request)
    terms = make_terms(seconds, signatures, tuple(project or ()))
    return json_reply(await front.keeper.call(m.GetAttempt(terms)))


@router.post(
    "/v1/unseal/shares",
    tags=["holders"],
    summary="Hand in a share",
    openapi_extra=operation(body=ShareBody, reply=m.HandInReply, says="Accepted, with the progress.",
                            example={"attempt": "q83vEjRWeJCrze8SNFZ4kA==", "holder": "holder-1", "box": "9nX…"}),
)  # fmt: skip
async def hand_in(request: Request) -> Response:
    """Accepted or refused at once, with the holder's name."""
    front = front_of(request)
    share = await front.costly_body(request, decode_share, cap=16 * 1024)
    return json_reply(await front.keeper.call(m.HandIn(share.attempt, share.holder, share.box, share.terms)))
