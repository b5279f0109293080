"""How the keys stand: every entry about them with its proof, for `hsmpub trust update`."""

from __future__ import annotations

from contextlib import suppress

from fastapi import APIRouter, Request, Response

from api.front import Front, front_of
from api.openapi import operation
from api.problem import Unprocessable
from api.reply import bytes_reply
from hsmpub.errors import Unavailable
from hsmpub.receipt.build import logged_entries
from hsmpub.receipt.key_history import KeyHistory, dump_key_history
from hsmpub.tlog.reader import LogReader
from hsmpub.wire import messages as m

router = APIRouter(default_response_class=Response)
_JSON = "application/json"


@router.get(
    "/v1/keys",
    tags=["anybody"],
    summary="How the keys stand, with proofs",
    openapi_extra=operation(reply=KeyHistory, says="Every entry about keys, and the keeper's word that these are all."),
)
async def keys(request: Request, nonce: str) -> Response:
    """`nonce`: 32 random bytes, hex: the keeper signs them with its answer, which so is of now."""
    front = front_of(request)
    front.check_costly(request)
    try:
        asked = bytes.fromhex(nonce)
    except ValueError:
        raise Unprocessable("The nonce is not hex.") from None
    if not asked:
        raise Unprocessable("The nonce is empty.")
    reply = await front.keeper.call(m.GetKeys(asked))
    assert isinstance(reply, m.KeysReply)
    patience = front.settings.front.checkpoint_timeout
    await front.log_reader.reader.wait_for_checkpoint(max(reply.entries, default=0), patience)

    def history(log: LogReader) -> bytes:
        note, entries = logged_entries(log, reply.entries)
        return dump_key_history(note, entries, reply.digest, reply.signature)

    return bytes_reply(await front.log_reader.ask(history), _JSON)


async def key_entries(front: Front) -> tuple[int, ...]:
    """Where the log speaks of keys, as the keeper says; while it is away, as it said before."""
    with suppress(Unavailable):
        reply = await front.keeper.call(m.GetKeys())
        assert isinstance(reply, m.KeysReply)
        front.log_reader.key_entries = reply.entries
    return front.log_reader.key_entries
