"""Uploads: streamed to the store in constant memory, known by their digest from then on."""

from __future__ import annotations

import time

from fastapi import APIRouter, Request, Response
from starlette.responses import StreamingResponse

from api.answers import StoredBody
from api.body import body_pieces
from api.front import Front, front_of
from api.headers import SESSION, SHA256, base64_value, header
from api.openapi import operation
from api.reply import json_reply
from hsmpub.artifact.store import ArtifactUnknown

router = APIRouter(default_response_class=Response)
_BINARY = "application/octet-stream"


@router.put(
    "/v1/artifacts",
    tags=["ci"],
    summary="Upload a file",
    status_code=201,
    openapi_extra=operation(body=bytes, body_type=_BINARY, reply=StoredBody, headers=("upload",), status=201,
                            says="It is stored, durably, under this digest."),
)  # fmt: skip
async def upload(request: Request) -> Response:
    """The body is the file. Sending one that is there already changes nothing."""
    front = front_of(request)
    headers = request.scope["headers"]
    front.sessions.check_known(base64_value(header(headers, SESSION), SESSION, at_most=100), int(time.time()))
    expect = header(headers, SHA256).decode("latin-1") or None
    with front.uploads.take():
        caps = front.settings.front
        pieces = body_pieces(request.scope, request.receive, cap=caps.max_upload_bytes, idle_timeout=caps.idle_timeout)
        stored = await front.store.write(pieces, cap=caps.max_upload_bytes, expect=expect)
    front.metrics.upload_bytes.inc(stored.size)
    return json_reply(StoredBody(stored.sha256, stored.size), 201, {"location": f"/v1/artifacts/{stored.sha256}"})


@router.head(
    "/v1/artifacts/{sha256}",
    tags=["ci"],
    summary="Is this file stored?",
    openapi_extra=operation(says="It is; Content-Length is its size."),
)
async def look(request: Request, sha256: str) -> Response:
    """Whoever sends a file asks before: what is there need not be sent again."""
    size = await _size(front_of(request), sha256)
    return Response(headers={"content-length": str(size), "content-type": _BINARY})


@router.get(
    "/v1/artifacts/{sha256}",
    tags=["anybody"],
    summary="Download a file",
    openapi_extra=operation(reply=bytes, reply_type=_BINARY, says="The file; hashed again on its way out."),
)
async def download(request: Request, sha256: str) -> Response:
    """Ends early, with the connection, where the stored bytes are no longer the right ones."""
    front = front_of(request)
    size = await _size(front, sha256)
    headers = {"content-length": str(size), "cache-control": "public, max-age=31536000, immutable"}
    return StreamingResponse(front.store.open(sha256), 200, headers, _BINARY)


async def _size(front: Front, sha256: str) -> int:
    size = await front.store.size(sha256)
    if size is None:
        raise ArtifactUnknown("There is no artifact with this digest.")
    return size
