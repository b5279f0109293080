"""What people ask with their SSH keys: requests of their own, approving and declining, sealing."""

from __future__ import annotations

import base64

import msgspec

from hsmpub.client.asks.anybody import view
from hsmpub.client.asks.asker import Asker, part
from hsmpub.client.steps import JSON, Steps, call, fetch
from hsmpub.wire import messages as m

_encode = msgspec.json.Encoder().encode
_header = msgspec.json.Decoder(m.HeaderReply)
_personal: msgspec.json.Decoder[m.RequestView | m.Done] = msgspec.json.Decoder(m.RequestView | m.Done)


class PeopleAsks(Asker):
    def submit_personal(self, body: bytes, signature: bytes) -> Steps[m.RequestView | m.Done]:
        """A person's request; signature: armoured SSHSIG over `body`, namespace hsmpub-request."""
        return call("POST", "/v1/requests", _personal, content=body, headers=_signed_by(signature))

    def header(self, body: bytes, signature: bytes) -> Steps[bytes]:
        """What an approved request to decrypt has made. body: an AskHeader."""
        reply = yield from call("POST", "/v1/headers", _header, content=body, headers=_signed_by(signature))
        return reply.header

    def seal(self, body: bytes, signature: bytes) -> Steps[None]:
        """Seals at once; body: an AskSeal."""
        yield from fetch("POST", "/v1/seal", content=body, headers=_signed_by(signature))

    def approve(self, request: str, person: str, signature: bytes) -> Steps[m.RequestView]:
        """signature: armoured SSHSIG over the DSSE encoding of the statement, namespace hsmpub-approval."""
        return _answer(request, "approvals", person, signature)

    def decline(self, request: str, person: str, signature: bytes) -> Steps[m.RequestView]:
        """signature: as for `approve`, namespace hsmpub-refusal."""
        return _answer(request, "refusals", person, signature)


def _answer(request: str, kind: str, person: str, signature: bytes) -> Steps[m.RequestView]:
    body = _encode({"person": person, "signature": signature.decode("ascii")})
    return call("POST", f"/v1/requests/{part(request)}/{kind}", view, content=body, headers=JSON)


def _signed_by(signature: bytes) -> dict[str, str]:
    return {**JSON, "hsmpub-signature": base64.b64encode(signature).decode()}
