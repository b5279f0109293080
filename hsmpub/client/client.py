"""The typed client of the service: what the commands use, and what CI code may use directly."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

import msgspec

from hsmpub.client.http import Http
from hsmpub.client.pins import check_intake
from hsmpub.client.session import CiSession, open_session
from hsmpub.client.token import TokenSource
from hsmpub.client.trust import PinsMissing
from hsmpub.client.upload import Progress, upload
from hsmpub.errors import Unauthenticated
from hsmpub.model.attested import Attestation
from hsmpub.model.keys import Keys
from hsmpub.model.submission import AskRelease, AskSign, FileRef, HashState, dump_submission
from hsmpub.model.terms import UNLIMITED, Terms
from hsmpub.model.trust import Trust
from hsmpub.receipt.key_history import check_key_history
from hsmpub.wire import messages as m

_JSON = {"content-type": "application/json"}
_encode = msgspec.json.Encoder().encode
_view = msgspec.json.Decoder(m.RequestView)
_list = msgspec.json.Decoder(m.RequestList)
_signed = msgspec.json.Decoder(m.SignReply)
_status = msgspec.json.Decoder(m.StatusReply)
_ready = msgspec.json.Decoder(m.ReadyReply)
_attempt = msgspec.json.Decoder(m.AttemptReply)
_upgrade = msgspec.json.Decoder(m.UpgradeReply)
_nonce = msgspec.json.Decoder(m.NonceReply)
_header = msgspec.json.Decoder(m.HeaderReply)
_handed = msgspec.json.Decoder(m.HandInReply)
_drill = msgspec.json.Decoder(m.DrillReply)
_drilled = msgspec.json.Decoder(m.DrillHandInReply)
_personal: msgspec.json.Decoder[m.RequestView | m.Done] = msgspec.json.Decoder(m.RequestView | m.Done)


def _part(name: str) -> str:
    return quote(name, safe="")


def _signed_by(signature: bytes) -> dict[str, str]:
    return {**_JSON, "hsmpub-signature": base64.b64encode(signature).decode()}


class NoSession(Unauthenticated):
    advice = "Call open_session first."


class Client:
    """One service, one asker.

    Every method raises Refused with the service's own sentences, or ServiceUnreachable.

    Args:
        url: the service. trust: its pins; needed wherever something secret or signed goes out or comes in.
        ca_file: certificates to trust instead of the usual ones.
    """

    def __init__(self, url: str, trust: Trust | None = None, *, ca_file: Path | None = None) -> None:
        self.http = Http(url, ca_file=ca_file)
        self._trust = trust
        self._session: CiSession | None = None

    @property
    def trust(self) -> Trust:
        """The pins. Raises PinsMissing where none were given."""
        if self._trust is None:
            raise PinsMissing("The pins of the service are needed here, and none are named.")
        return self._trust

    @property
    def session(self) -> CiSession:
        """The open session. Raises NoSession."""
        if self._session is None:
            raise NoSession("No session is open.")
        return self._session

    # --- a CI job ---

    def open_session(self, source: TokenSource, audience: str = "") -> CiSession:
        """See hsmpub.client.session.open_session."""
        self._session = open_session(self.http, source, self.trust, audience)
        return self._session

    def upload(self, path: Path, *, progress: Progress | None = None) -> FileRef:
        """See hsmpub.client.upload.upload."""
        return upload(self.http, self.session, path, progress=progress)

    def submit_release(self, project: str, version: str, commit: str, files: Iterable[FileRef],
                       attest: Attestation | None = None) -> m.RequestView:  # fmt: skip
        """Asks for a release of files that were uploaded. commit: 40 or 64 hex characters."""
        body = dump_submission(AskRelease(project, version, commit, tuple(files), attest))
        return self.http.call("POST", "/v1/requests", _view, content=body, headers=self._ci(body))

    def sign(self, project: str, formats: Iterable[str], *, key: str = "", states: Iterable[HashState] = (),
             files: Iterable[FileRef] = (), attest: Attestation | None = None) -> m.SignReply:  # fmt: skip
        """Routine signatures over up to 256 files; each result may carry a problem of its own."""
        body = dump_submission(AskSign(project, tuple(formats), key, tuple(states), tuple(files), attest))
        return self.http.call("POST", "/v1/sign", _signed, content=body, headers=self._ci(body))

    def _ci(self, body: bytes) -> dict[str, str]:
        return {**_JSON, **self.session.headers(body)}

    # --- people ---

    def submit_personal(self, body: bytes, signature: bytes) -> m.RequestView | m.Done:
        """A person's request; signature: armoured SSHSIG over `body`, namespace hsmpub-request."""
        return self.http.call("POST", "/v1/requests", _personal, content=body, headers=_signed_by(signature))

    def header(self, body: bytes, signature: bytes) -> bytes:
        """What an approved request to decrypt has made. body: an AskHeader."""
        return self.http.call("POST", "/v1/headers", _header, content=body, headers=_signed_by(signature)).header

    def seal(self, body: bytes, signature: bytes) -> None:
        """Seals at once; body: an AskSeal."""
        self.http.raw("POST", "/v1/seal", content=body, headers=_signed_by(signature))

    def approve(self, request: str, person: str, signature: bytes) -> m.RequestView:
        return self._answer(request, "approvals", person, signature)

    def decline(self, request: str, person: str, signature: bytes) -> m.RequestView:
        return self._answer(request, "refusals", person, signature)

    def _answer(self, request: str, kind: str, person: str, signature: bytes) -> m.RequestView:
        body = _encode({"person": person, "signature": signature.decode("ascii")})
        return self.http.call("POST", f"/v1/requests/{_part(request)}/{kind}", _view, content=body, headers=_JSON)

    # --- anybody ---

    def request(self, request: str) -> m.RequestView:
        return self.http.call("GET", f"/v1/requests/{_part(request)}", _view)

    def requests(self, *, open_only: bool = True) -> tuple[m.RequestView, ...]:
        return self.http.call("GET", "/v1/requests", _list, params={"open": int(open_only)}).requests

    def statement(self, request: str) -> bytes:
        """The exact bytes that approvers sign."""
        return self.http.raw("GET", f"/v1/requests/{_part(request)}/statement")

    def output(self, request: str, name: str) -> bytes:
        """A signature that a release made."""
        return self.http.raw("GET", f"/v1/requests/{_part(request)}/outputs/{_part(name)}")

    def receipt(self, request: str) -> bytes:
        """The receipt of a request; waits for the checkpoint that covers it."""
        return self.http.raw("GET", f"/v1/requests/{_part(request)}/receipt")

    def routine_receipt(self, entry: int) -> bytes:
        """The receipt of routine signatures, by their index in the log."""
        return self.http.raw("GET", f"/v1/receipts/{entry}")

    def status(self) -> m.StatusReply:
        return self.http.call("GET", "/v1/status", _status)

    def keys(self) -> Keys:
        """The keys as they are now, followed and proven from the pins on. Raises what check_key_history raises."""
        nonce = os.urandom(32)
        data = self.http.raw("GET", "/v1/keys", params={"nonce": nonce.hex()})
        return check_key_history(data, self.trust, nonce)

    def ready(self) -> m.ReadyReply:
        """Each key makes a real signature. Raises Refused where one cannot."""
        return self.http.call("GET", "/readyz", _ready)

    def intake_key(self) -> bytes:
        """X25519 key for credentials, raw, proven to be the pinned keeper's."""
        return check_intake(self.trust, self.status())

    # --- holders ---

    def attempt(self, terms: Terms = UNLIMITED) -> m.AttemptReply:
        """The open unseal attempt under these terms, as it came over the net; hsmpub.shares.holder checks it before it
        seals a share."""
        asked = {"seconds": terms.seconds, "signatures": terms.signatures, "project": terms.projects}
        params = {name: value for name, value in asked.items() if value is not None}
        return self.http.call("GET", "/v1/unseal", _attempt, params=params)

    def hand_in(self, attempt: m.AttemptReply, holder: str, box: bytes) -> m.HandInReply:
        """box: the share, HPKE-sealed to the attempt's key and terms."""
        body = _encode({"attempt": attempt.attempt, "holder": holder, "box": box, "terms": attempt.terms})
        return self.http.call("POST", "/v1/unseal/shares", _handed, content=body, headers=_JSON)

    def drill(self, quorum: m.QuorumName) -> m.DrillReply:
        """The open drill as it came over the net; hsmpub.shares.drill checks it before it seals a share."""
        return self.http.call("GET", f"/v1/drills/{quorum}", _drill)

    def hand_in_drill(self, quorum: m.QuorumName, attempt: bytes, holder: str, box: bytes) -> m.DrillHandInReply:
        """box: the share, HPKE-sealed to the drill's key."""
        body = _encode({"attempt": attempt, "holder": holder, "box": box})
        return self.http.call("POST", f"/v1/drills/{quorum}/shares", _drilled, content=body, headers=_JSON)

    def nonce(self) -> m.NonceReply:
        """A nonce of the keeper, for what a holder signs with their share."""
        return self.http.call("GET", "/v1/holders/nonce", _nonce)

    def seal_as_holder(self, holder: str, nonce: bytes, reason: str, signature: bytes) -> None:
        """Seals at once. signature: by the holder's share, kind "seal"."""
        body = _encode({"holder": holder, "nonce": nonce, "reason": reason, "signature": signature})
        self.http.raw("POST", "/v1/holders/seal", content=body, headers=_JSON)

    def say_alive(self, holder: str, nonce: bytes, signature: bytes) -> None:
        """The dead-man's interval starts anew. signature: by the holder's share, kind "alive"."""
        body = _encode({"holder": holder, "nonce": nonce, "signature": signature})
        self.http.raw("POST", "/v1/holders/alive", content=body, headers=_JSON)

    def upgrade(self) -> m.UpgradeReply:
        """What code would come next, and who permits it."""
        return self.http.call("GET", "/v1/upgrade", _upgrade)

    def permit_upgrade(self, holder: str, body: bytes, signature: bytes) -> m.UpgradeReply:
        """body: of a Permission; signature: by the holder's share, kind "upgrade"."""
        content = _encode({"holder": holder, "body": body, "signature": signature})
        return self.http.call("POST", "/v1/upgrade/permissions", _upgrade, content=content, headers=_JSON)

    def close(self) -> None:
        self.http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
