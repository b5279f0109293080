"""How it goes: status in facts, health, readiness by real signatures, metrics."""

from __future__ import annotations

import asyncio
import time

import msgspec
from fastapi import APIRouter, Request, Response

from api.answers import Health
from api.front import Front, front_of
from api.openapi import operation
from api.problem import NotReady
from api.reply import bytes_reply, json_reply
from hsmpub.errors import HsmpubError
from hsmpub.wire import messages as m

router = APIRouter(default_response_class=Response)
_PATIENCE = 5.0  # seconds for a keeper that is alive to say so
_BY_DESIGN = "this role needs the network"
_FRESH = 2.0  # seconds that one round of test signatures serves everybody who asks


class Readiness:
    """One round of test signatures at a time: asking often must not cost the HSM anything."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._known: tuple[float, m.ReadyReply] | None = None

    async def ask(self, front: Front) -> m.ReadyReply:
        async with self._lock:
            if self._known is None or time.monotonic() - self._known[0] > _FRESH:
                reply = await front.keeper.call(m.GetReady(), timeout=30.0)
                assert isinstance(reply, m.ReadyReply)
                self._known = (time.monotonic(), reply)
            return self._known[1]


@router.get(
    "/v1/status",
    tags=["operation"],
    summary="Facts about the service",
    openapi_extra=operation(reply=m.StatusReply, says="Facts; nothing secret."),
)
async def status(request: Request) -> Response:
    """The keeper's facts; of the protections of this front, those that are off."""
    front = front_of(request)
    reply = await front.keeper.call(m.GetStatus())
    assert isinstance(reply, m.StatusReply)
    off = {f"front: {name}": why for name, why in front.protections.items() if why not in ("on", _BY_DESIGN)}
    return json_reply(msgspec.structs.replace(reply, protections={**reply.protections, **off}))


@router.get(
    "/healthz",
    tags=["operation"],
    summary="Are front and keeper alive?",
    openapi_extra=operation(reply=Health, says="Both answer. Sealed is alive too."),
)
async def healthz(request: Request) -> Response:
    """For a watcher that restarts what hangs; it costs nothing."""
    await front_of(request).keeper.call(m.GetStatus(), timeout=_PATIENCE)
    return json_reply(Health("ok", "ok"))


@router.get(
    "/readyz",
    tags=["operation"],
    summary="Can every key sign?",
    openapi_extra=operation(reply=m.ReadyReply, says="Each key has just made a real signature."),
)
async def readyz(request: Request) -> Response:
    """A round of test signatures; asked often, it is made every other second at most."""
    reply = await request.app.state.readiness.ask(front_of(request))
    if not reply.ready:
        wrong = ", ".join(f"{key}: {state}" for key, state in sorted(reply.keys.items()) if state != "ok")
        raise NotReady(f"Not every key can sign ({wrong or 'no key is at hand'}).")
    return json_reply(reply)


@router.get(
    "/metrics",
    tags=["operation"],
    summary="Prometheus metrics",
    openapi_extra=operation(reply=str, reply_type="text/plain", says="Text format."),
)
async def metrics(request: Request) -> Response:
    """Counters of this front and, where it answers, of the keeper."""
    front = front_of(request)
    try:
        reply = await front.keeper.call(m.GetStatus(), timeout=_PATIENCE)
        known = reply if isinstance(reply, m.StatusReply) else None
    except HsmpubError:
        known = None
    return bytes_reply(front.metrics.exposition(known), "text/plain; version=0.0.4; charset=utf-8")
