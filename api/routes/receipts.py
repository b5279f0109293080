"""Receipts and the signatures that a release made: built from the log, for whoever wants to check."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from api.front import Front, front_of
from api.openapi import operation
from api.reply import bytes_reply
from api.routes.keys import key_entries
from api.routes.requests import view_of
from hsmpub.errors import NotFound
from hsmpub.model.entry import Output, Signed, load_entry
from hsmpub.tlog.reader import LogReader

router = APIRouter(default_response_class=Response)
_JSON = "application/json"


class NoSuchOutput(NotFound):
    advice = "Its receipt names what a request made; see also 'hsmpub release show'."


@router.get(
    "/v1/requests/{name}/receipt",
    tags=["anybody"],
    summary="The receipt of a request",
    openapi_extra=operation(reply=bytes, reply_type=_JSON, says="One file that verifies offline."),
)
async def receipt(request: Request, name: str) -> Response:
    """Waits until a signed checkpoint covers the request's newest entry."""
    front = front_of(request)
    view = await view_of(front, name)
    return await _receipt(front, view.entries)


@router.get(
    "/v1/receipts/{entry}",
    tags=["ci"],
    summary="The receipt of routine signatures",
    openapi_extra=operation(reply=bytes, reply_type=_JSON, says="One file that verifies offline."),
)
async def routine_receipt(request: Request, entry: Annotated[int, Path(ge=0, lt=1 << 62)]) -> Response:
    """`entry` is the index that `POST /v1/sign` answered with."""
    front = front_of(request)
    await front.log_reader.ask(lambda log: log.entry(entry))  # unknown entries are not worth waiting for
    return await _receipt(front, (entry,))


@router.get(
    "/v1/requests/{name}/outputs/{output}",
    tags=["anybody"],
    summary="A signature that a release made",
    openapi_extra=operation(reply=bytes, reply_type="application/octet-stream", says="Its exact bytes."),
)
async def output(request: Request, name: str, output: str) -> Response:
    """By the name that the receipt has for it."""
    front = front_of(request)
    view = await view_of(front, name)
    made = await front.log_reader.ask(lambda log: _outputs(log, view.entries))
    found = next((one for one in made if one.name == output and one.content), None)
    if found is None:
        raise NoSuchOutput("This request made nothing of that name, or it is not kept.")
    return bytes_reply(found.content, forever=True)


async def _receipt(front: Front, entries: tuple[int, ...]) -> Response:
    patience = front.settings.front.checkpoint_timeout
    await front.log_reader.reader.wait_for_checkpoint(max(entries, default=0), patience)
    return bytes_reply(await front.log_reader.receipt(entries, await key_entries(front)), _JSON)


def _outputs(log: LogReader, entries: tuple[int, ...]) -> list[Output]:
    signed = (load_entry(log.entry(index)) for index in entries)
    return [one for entry in signed if isinstance(entry, Signed) for one in entry.outputs]
