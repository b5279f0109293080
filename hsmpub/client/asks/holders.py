"""What holders ask: to unseal, to drill, to seal or be heard of, to permit an upgrade."""

from __future__ import annotations

import msgspec

from hsmpub.client.asks.asker import Asker
from hsmpub.client.steps import JSON, Steps, call, fetch
from hsmpub.model.terms import UNLIMITED, Terms
from hsmpub.wire import messages as m

_encode = msgspec.json.Encoder().encode
_attempt = msgspec.json.Decoder(m.AttemptReply)
_handed = msgspec.json.Decoder(m.HandInReply)
_drill = msgspec.json.Decoder(m.DrillReply)
_drilled = msgspec.json.Decoder(m.DrillHandInReply)
_done = msgspec.json.Decoder(m.Done)
_nonce = msgspec.json.Decoder(m.NonceReply)
_upgrade = msgspec.json.Decoder(m.UpgradeReply)


class HolderAsks(Asker):
    def attempt(self, terms: Terms = UNLIMITED) -> Steps[m.AttemptReply]:
        """The open unseal attempt under these terms, as it came over the net; hsmpub.shares.holder checks it before it
        seals a share."""
        asked = {"seconds": terms.seconds, "signatures": terms.signatures, "project": terms.projects}
        params = {name: value for name, value in asked.items() if value is not None}
        return call("GET", "/v1/unseal", _attempt, params=params)

    def hand_in(self, attempt: m.AttemptReply, holder: str, box: bytes) -> Steps[m.HandInReply]:
        """box: the share, HPKE-sealed to the attempt's key and terms."""
        body = _encode({"attempt": attempt.attempt, "holder": holder, "box": box, "terms": attempt.terms})
        return call("POST", "/v1/unseal/shares", _handed, content=body, headers=JSON)

    def drill(self, quorum: m.QuorumName) -> Steps[m.DrillReply]:
        """The open drill as it came over the net; hsmpub.shares.drill checks it before it seals a share."""
        return call("GET", f"/v1/drills/{quorum}", _drill)

    def hand_in_drill(self, quorum: m.QuorumName, attempt: bytes, holder: str, box: bytes) -> Steps[m.DrillHandInReply]:
        """box: the share, HPKE-sealed to the drill's key."""
        body = _encode({"attempt": attempt, "holder": holder, "box": box})
        return call("POST", f"/v1/drills/{quorum}/shares", _drilled, content=body, headers=JSON)

    def nonce(self) -> Steps[m.NonceReply]:
        """A nonce of the keeper, for what a holder signs with their share."""
        return call("GET", "/v1/holders/nonce", _nonce)

    def seal_as_holder(self, holder: str, nonce: bytes, reason: str, signature: bytes) -> Steps[None]:
        """Seals at once. signature: by the holder's share, kind "seal"."""
        body = _encode({"holder": holder, "nonce": nonce, "reason": reason, "signature": signature})
        yield from fetch("POST", "/v1/holders/seal", content=body, headers=JSON)

    def say_alive(self, holder: str, nonce: bytes, signature: bytes) -> Steps[None]:
        """The dead-man's interval starts anew. signature: by the holder's share, kind "alive"."""
        body = _encode({"holder": holder, "nonce": nonce, "signature": signature})
        yield from fetch("POST", "/v1/holders/alive", content=body, headers=JSON)

    def confirm_share(self, confirmation: bytes) -> Steps[str]:
        """Sends the file of a share check. Returns what the service says: who is missing."""
        body = _encode({"confirmation": confirmation})
        return (yield from call("POST", "/v1/holders/confirm", _done, content=body, headers=JSON)).detail

    def upgrade(self) -> Steps[m.UpgradeReply]:
        """What code would come next, and who permits it."""
        return call("GET", "/v1/upgrade", _upgrade)

    def permit_upgrade(self, holder: str, body: bytes, signature: bytes) -> Steps[m.UpgradeReply]:
        """body: of a Permission; signature: by the holder's share, kind "upgrade"."""
        content = _encode({"holder": holder, "body": body, "signature": signature})
        return call("POST", "/v1/upgrade/permissions", _upgrade, content=content, headers=JSON)
