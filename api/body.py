"""Bodies: read whole under a cap and a time, or in pieces for uploads. Never more in memory than asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.types import Receive, Scope

from api.headers import content_length
from api.problem import BodyRefused, BodyTooLarge, BodyTooSlow

T = TypeVar("T")
#: Set in the scope by the protocol once the whole request has arrived.
ARRIVED = "hsmpub.arrived"


class ClientGone(Exception):
    """The sender hung up: there is nobody to answer."""


def check_announced(scope: Scope, cap: int) -> None:
    """Raises BodyTooLarge before a byte is read, where the sender said how much it has."""
    announced = content_length(scope)
    if announced is not None and announced > cap:
        raise BodyTooLarge(f"The body has {announced:,} bytes; {cap:,} is the most here.")


async def read_body(scope: Scope, receive: Receive, *, cap: int, timeout: float) -> bytes:
    """The whole body.

    Args:
        cap: the most bytes. timeout: seconds for all of it.

    Raises:
        BodyTooLarge, BodyTooSlow.
        ClientGone: the sender hung up.
    """
    check_announced(scope, cap)
    if scope.get(ARRIVED):  # nothing to wait for, so no timer
        return await _gather(receive, cap)
    try:
        async with asyncio.timeout(timeout):
            return await _gather(receive, cap)
    except TimeoutError:
        raise BodyTooSlow(f"The body did not arrive within {timeout:g} seconds.") from None


async def _gather(receive: Receive, cap: int) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body", False) and len(body) <= cap:
        message = await receive()
        body += message.get("body", b"")
    if message["type"] == "http.disconnect":
        raise ClientGone
    if len(body) > cap:
        raise BodyTooLarge(f"The body has more than {cap:,} bytes.")
    return body


async def body_pieces(scope: Scope, receive: Receive, *, cap: int, idle_timeout: float) -> AsyncIterator[bytes]:
    """The body as it arrives. Whoever takes it counts: a cap that only the sender's announcement meets is none.

    Args:
        cap: the most bytes that may be announced. idle_timeout: seconds between two arrivals.

    Raises:
        BodyTooLarge, BodyTooSlow, ClientGone: see read_body.
    """
    check_announced(scope, cap)
    more = True
    while more:
        try:
            async with asyncio.timeout(idle_timeout):
                message = await receive()
        except TimeoutError:
            raise BodyTooSlow(f"Nothing arrived for {idle_timeout:g} seconds.") from None
        if message["type"] == "http.disconnect":
            raise ClientGone
        more = message.get("more_body", False)
        yield message.get("body", b"")


async def json_body(request: Request, decoder: msgspec.json.Decoder[T], *, cap: int, timeout: float) -> T:
    """A small JSON body of a known shape.

    Raises:
        BodyRefused: another shape. It names the place, never the content.
        BodyTooLarge, BodyTooSlow, ClientGone: see read_body.
    """
    data = await read_body(request.scope, request.receive, cap=cap, timeout=timeout)
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as e:
        told = str(e)
        shape = told if told.startswith(("Expected", "Object missing")) else "it is no JSON of the expected shape"
        raise BodyRefused(f"The body was not understood: {shape}.") from None
