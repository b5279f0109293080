"""What anybody may ask: requests, statements, outputs, receipts, the state of the service."""

from __future__ import annotations

import os

import msgspec

from hsmpub.client.asks.asker import Asker, part
from hsmpub.client.pins import check_intake
from hsmpub.client.steps import Steps, call, fetch
from hsmpub.model.keys import Keys
from hsmpub.receipt.key_history import check_key_history
from hsmpub.wire import messages as m

view = msgspec.json.Decoder(m.RequestView)
_list = msgspec.json.Decoder(m.RequestList)
_status = msgspec.json.Decoder(m.StatusReply)
_ready = msgspec.json.Decoder(m.ReadyReply)


class AnybodyAsks(Asker):
    def request(self, request: str) -> Steps[m.RequestView]:
        """A request as it stands."""
        return call("GET", f"/v1/requests/{part(request)}", view)

    def requests(self, *, open_only: bool = True) -> Steps[tuple[m.RequestView, ...]]:
        """At most 200: those that wait for somebody or something, or the newest of all."""
        reply = yield from call("GET", "/v1/requests", _list, params={"open": int(open_only)})
        return reply.requests

    def statement(self, request: str) -> Steps[bytes]:
        """The exact bytes that approvers sign."""
        return fetch("GET", f"/v1/requests/{part(request)}/statement")

    def output(self, request: str, name: str) -> Steps[bytes]:
        """A signature that a release made."""
        return fetch("GET", f"/v1/requests/{part(request)}/outputs/{part(name)}")

    def receipt(self, request: str) -> Steps[bytes]:
        """The receipt of a request; waits for the checkpoint that covers it."""
        return fetch("GET", f"/v1/requests/{part(request)}/receipt")

    def routine_receipt(self, entry: int) -> Steps[bytes]:
        """The receipt of routine signatures, by their index in the log."""
        return fetch("GET", f"/v1/receipts/{entry}")

    def status(self) -> Steps[m.StatusReply]:
        """Facts about the service."""
        return call("GET", "/v1/status", _status)

    def keys(self) -> Steps[Keys]:
        """The keys as they are now, followed and proven from the pins on. Raises what check_key_history raises."""
        nonce = os.urandom(32)
        data = yield from fetch("GET", "/v1/keys", params={"nonce": nonce.hex()})
        return check_key_history(data, self.trust, nonce)

    def ready(self) -> Steps[m.ReadyReply]:
        """Each key makes a real signature. Raises Refused where one cannot."""
        return call("GET", "/readyz", _ready)

    def intake_key(self) -> Steps[bytes]:
        """X25519 key for credentials, raw, proven to be the pinned keeper's. Raises KeeperNotThePinnedOne."""
        status = yield from self.status()
        return check_intake(self.trust, status)
