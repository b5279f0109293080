"""The log over HTTP, as C2SP tlog-tiles says, and entries for people who want to read.

Whoever is served verifies: checkpoint, tiles and entries fit together or they do not.
"""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api.front import front_of
from api.openapi import operation
from api.problem import Unprocessable
from api.reply import bytes_reply
from hsmpub.tlog.tile import ENTRIES, parse_tile_path

router = APIRouter(default_response_class=Response)
_TEXT = "text/plain; charset=utf-8"
_LINES = "application/jsonl"
_MOST = 1000


@router.get(
    "/log/checkpoint",
    tags=["log"],
    summary="The newest signed checkpoint",
    openapi_extra=operation(reply=str, reply_type="text/plain", says="A C2SP signed note."),
)
async def checkpoint(request: Request) -> Response:
    """Signed in the HSM. Source: C2SP tlog-checkpoint."""
    return bytes_reply(await front_of(request).log_reader.ask(lambda reader: reader.checkpoint()), _TEXT)


@router.get(
    "/log/tile/{path:path}",
    tags=["log"],
    summary="A hash tile, or a bundle of entries",
    openapi_extra=operation(reply=bytes, reply_type="application/octet-stream", says="The tile; it never changes."),
)
async def tile(request: Request, path: str) -> Response:
    """`{level}/{N}` or `entries/{N}`, with `.p/{width}` for a partial one. Source: C2SP tlog-tiles."""
    wanted = parse_tile_path(f"tile/{path}")
    served = front_of(request).log_reader
    if wanted.level == ENTRIES:
        return bytes_reply(await served.ask(lambda log: log.entry_bundle(wanted.index, wanted.width)), forever=True)
    data = await served.ask(lambda log: log.tile(wanted.level, wanted.index, wanted.width))
    return bytes_reply(data, forever=True)


@router.get(
    "/log/entries",
    tags=["log"],
    summary="Entries, one JSON object a line",
    openapi_extra=operation(reply=str, reply_type=_LINES, says="Each line holds the exact bytes of one entry."),
)
async def entries(request: Request, start: int, end: int) -> Response:
    """Entries from `start` up to, not including, `end`; at most 1,000 at once."""
    if not 0 <= start <= end or end - start > _MOST or end >= 1 << 62:
        raise Unprocessable(f"From start to end there must be 0 to {_MOST:,} entries.")
    found = await front_of(request).log_reader.ask(lambda reader: reader.entries(start, end))
    return bytes_reply(b"".join(entry + b"\n" for entry in found), _LINES)
