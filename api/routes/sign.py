"""Routine signing, the hot path: below FastAPI, straight from headers and body to the keeper and back."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.types import Receive, Scope, Send

from api.body import read_body
from api.front import Front
from api.headers import ci_headers
from api.openapi import operation
from hsmpub.model.submission import AskSign
from hsmpub.wire.messages import SignReply, Submit

PATH = "/v1/sign"
_JSON = (b"content-type", b"application/json")
_NO_STORE = (b"cache-control", b"no-store")
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
    """ASGI endpoint of `POST /v1/sign`: up to 256 files at once, each signed or refused on its own."""

    path = PATH

    def __init__(self, front: Front) -> None:
        self._front = front
        self._encode = msgspec.json.Encoder().encode
        self._cap = front.settings.front.max_body_bytes
        self._timeout = front.settings.front.body_timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = self
        session, counter, mac = ci_headers(scope["headers"])
        self._front.check_session_rate(session, scope.get("client"))
        body = await read_body(scope, receive, cap=self._cap, timeout=self._timeout)
        reply = await self._front.keeper.call(Submit(session, counter, mac, body))
        content = self._encode(reply)
        length = (b"content-length", b"%d" % len(content))
        await send({"type": "http.response.start", "status": 200, "headers": [_JSON, length, _NO_STORE]})
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
