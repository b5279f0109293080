"""Routine signing, the hot path: straight from headers and body to the keeper and back.

Nearly every request takes the short way (api.short_way); others come through the router.
"""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.types import Receive, Scope, Send

from api.body import read_body
from api.front import Front
from api.headers import CiHeaders, RawHeaders, ci_headers
from api.openapi import operation
from hsmpub.model.submission import AskSign
from hsmpub.wire.messages import FrontReply, SignReply, Submit

PATH = "/v1/sign"
HEADERS = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"))
_EXAMPLE = {
    "ask": "sign",
    "project": "sdk-python",
    "formats": ["openpgp", "sshsig"],
    "states": [
        {"name": "sdk-1.0.tar.gz", "h": "6a09e667…", "tail": "", "size": 1024},
        {"name": "notes.txt", "h": "bb67ae85…", "tail": "", "size": 128, "formats": ["sshsig"]},
    ],
}


class SignRoute:
    """`POST /v1/sign`: up to 256 files at once, each signed or refused on its own.

    Attributes:
        headers: of every answer but a refusal. cap: the most bytes of a body. timeout: seconds for all of it.
    """

    path = PATH
    headers = HEADERS

    def __init__(self, front: Front) -> None:
        self._front = front
        self._encode = msgspec.json.Encoder().encode
        self.cap = front.settings.front.max_body_bytes
        self.timeout = front.settings.front.body_timeout

    def admit(self, headers: RawHeaders, client: tuple[str, int] | None) -> CiHeaders:
        """What the headers say, once their session may ask again. Raises HeaderRefused, TooManyRequests."""
        said = ci_headers(headers)
        self._front.check_session_rate(said[0], client)
        return said

    def content(self, reply: FrontReply) -> bytes:
        """The body of the answer."""
        return self._encode(reply)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = self
        said = self.admit(scope["headers"], scope.get("client"))
        body = await read_body(scope, receive, cap=self.cap, timeout=self.timeout)
        content = self.content(await self._front.keeper.call(Submit(*said, body)))
        length = (b"content-length", b"%d" % len(content))
        await send({"type": "http.response.start", "status": 200, "headers": [*self.headers, length]})
        await send({"type": "http.response.body", "body": content})


def described() -> dict[str, Any]:
    """The OpenAPI path item, since FastAPI does not see this route."""
    return {
        "post": {
            "tags": ["ci"],
            "summary": "Sign files that need no approval",
            "description": "Digest mode sends the unfinished SHA-256 of each file (`states`); `files` names uploads. "
            "A file takes all `formats` of the request, or those of them that it names itself. "
            "Each result carries its own problem; the whole call fails only where nothing could be tried.",
            "operationId": "sign",
            **operation(body=AskSign, example=_EXAMPLE, reply=SignReply, headers=("ci",), says="Results, one by one."),
        }
    }
