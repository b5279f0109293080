"""The timestamp authority (RFC 3161, section 3.4): a query in, an answer out, both DER. Any client of it will do.

What the protocol has a word for is refused in an answer of the protocol, with status 200; who may not ask at all, or
asks too often, gets a problem document.
"""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api.bearer import bearer_if_any
from api.body import read_body
from api.front import front_of
from api.headers import header
from api.openapi import operation
from api.reply import bytes_reply
from hsmpub.errors import Broken, Invalid, Refused, Unavailable
from hsmpub.formats.cms.timestamp_answer import rejection
from hsmpub.formats.cms.timestamp_query import MAX_QUERY_BYTES, SYSTEM_FAILURE
from hsmpub.wire.messages import AskTimestamp, TimestampReply

router = APIRouter(default_response_class=Response)
QUERY, REPLY = "application/timestamp-query", "application/timestamp-reply"


class TimestampQueryExpected(Invalid):
    status = 415
    advice = f"Send a query of RFC 3161 as {QUERY}: 'openssl ts -query' makes one."


@router.post(
    "/v1/timestamp",
    tags=["timestamps"],
    summary="Ask for a timestamp",
    openapi_extra=operation(
        body=bytes,
        body_type=QUERY,
        reply=bytes,
        reply_type=REPLY,
        says="TimeStampResp: a timestamp, or why there is none.",
    ),
)
async def timestamp(request: Request) -> Response:
    """Where the policy does not let anybody ask: `Authorization: Bearer`, with the client_token of a login for a
    project that may."""
    front = front_of(request)
    bearer = bearer_if_any(request)
    front.check_timestamp_rate(bearer, request.scope.get("client"))
    kind = header(request.scope["headers"], b"content-type").partition(b";")[0].strip().lower()
    if kind != QUERY.encode():
        raise TimestampQueryExpected("This is no timestamp query.")
    timeout = front.settings.front.body_timeout
    query = await read_body(request.scope, request.receive, cap=MAX_QUERY_BYTES, timeout=timeout)
    try:
        reply = await front.keeper.call(AskTimestamp(query, bearer))
    except Refused as error:
        if error.problem.family not in (Unavailable.family, Broken.family):
            raise
        return bytes_reply(rejection(SYSTEM_FAILURE, str(error)), REPLY)
    assert isinstance(reply, TimestampReply)
    return bytes_reply(reply.answer, REPLY)
