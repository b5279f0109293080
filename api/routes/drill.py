"""Drills: holders show that they could unseal or restore. As unsealing, the front sees boxes only."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api.front import front_of
from api.openapi import operation
from api.reply import json_reply
from api.routes.unseal import ShareBody, decode_share
from hsmpub.errors import NotFound
from hsmpub.wire import messages as m

router = APIRouter(default_response_class=Response)


class NoSuchQuorum(NotFound):
    advice = "Name the quorum 'unseal' or 'recovery'."


@router.get(
    "/v1/drills/{quorum}",
    tags=["holders"],
    summary="The drill of a quorum that is open now",
    openapi_extra=operation(reply=m.DrillReply, says="The drill, signed by the keeper's identity."),
)
async def drill(request: Request, quorum: str) -> Response:
    """Check the signature against the pinned keeper key before you encrypt a share to `key`."""
    front = front_of(request)
    front.check_costly(request)
    return json_reply(await front.keeper.call(m.GetDrill(_known(quorum))))


@router.post(
    "/v1/drills/{quorum}/shares",
    tags=["holders"],
    summary="Hand in a share for a drill",
    openapi_extra=operation(body=ShareBody, reply=m.DrillHandInReply, says="Accepted, with the progress.",
                            example={"attempt": "q83vEjRWeJCrze8SNFZ4kA==", "holder": "holder-1", "box": "9nX…"}),
)  # fmt: skip
async def hand_in(request: Request, quorum: str) -> Response:
    """Accepted or refused at once, with the holder's name. The last one needed ends the drill."""
    front = front_of(request)
    share = await front.costly_body(request, decode_share, cap=16 * 1024)
    return json_reply(await front.keeper.call(m.HandInDrill(_known(quorum), share.attempt, share.holder, share.box)))


def _known(quorum: str) -> m.QuorumName:
    match quorum:
        case "unseal":
            return "unseal"
        case "recovery":
            return "recovery"
    raise NoSuchQuorum("There is no such quorum.")
