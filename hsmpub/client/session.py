"""The client's end of a CI session: its key stays here, and every request carries a MAC that only the keeper checks."""

from __future__ import annotations

import base64
import threading
import time

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from hsmpub.client.steps import JSON, Pause, Steps, call, locally
from hsmpub.client.token import TokenSource
from hsmpub.client.trust import keeper_identity
from hsmpub.errors import Broken, HsmpubError, Refused
from hsmpub.model.trust import Trust
from hsmpub.secret.box import open_box
from hsmpub.wire.messages import SessionReply, StatusReply
from hsmpub.wire.session import answer_info, bound_audience, check_session_signature, request_mac, session_mac_key

_reply = msgspec.json.Decoder(SessionReply)
_status = msgspec.json.Decoder(StatusReply)
#: Seconds that a job waits for a service that has just started and fetches its issuers' keys, and between askings.
PATIENCE, PAUSE = 10.0, 0.25


class KeeperNotThePinnedOne(Broken):
    advice = "Do not go on: what answers at this address is not the keeper of trust.json."


class CiSession:
    """An open session. Safe to use from several threads.

    Attributes:
        id: of the session, base64, as headers carry it. expires_at: seconds since 1970.
    """

    def __init__(self, identifier: bytes, key: bytes, expires_at: int, private: X25519PrivateKey | None = None) -> None:
        self.id = base64.b64encode(identifier).decode()
        self.expires_at = expires_at
        self._identifier = identifier
        self._key = key
        self._private = private
        self._counter = 0
        self._lock = threading.Lock()

    def headers(self, body: bytes) -> dict[str, str]:
        """The headers that authenticate these exact bytes, once."""
        with self._lock:
            self._counter += 1
            counter = self._counter
        mac = request_mac(self._key, counter, body)
        return {
            "hsmpub-session": self.id,
            "hsmpub-counter": str(counter),
            "hsmpub-mac": base64.b64encode(mac).decode(),
        }

    def open_answer(self, box: bytes, request: str, name: str) -> bytes:
        """What the keeper sealed to this session: a token for the file `name`. Raises BoxNotOpened, BoxKeyMalformed."""
        private = self._private.private_bytes_raw() if self._private else b""
        return open_box(private, answer_info(self._identifier, request, name), box)


def open_session(source: TokenSource, trust: Trust, audience: str = "") -> Steps[CiSession]:
    """Opens a session.

    1. makes a key, 2. gets a token that is bound to it, 3. sends both, 4. checks that the pinned keeper answered,
    5. derives the MAC key.

    Args:
        audience: what the token is made out to; by default the service's name.

    Raises:
        KeeperNotThePinnedOne: the answer is not signed by the pinned keeper.
        TokenNotMade, Refused, ServiceUnreachable.
    """
    private = X25519PrivateKey.generate()
    client_key = private.public_key().public_bytes_raw()
    bound = bound_audience(audience or trust.service, client_key)
    token = yield from locally(lambda: source.token(bound))
    body = msgspec.json.encode({"token": token, "client_key": client_key})
    try:
        reply = yield from _asked(body)
    except Refused as refusal:
        if refusal.rule == "token-for-another-audience" and not audience:
            yield from _check_service(trust)
        raise
    try:
        check_session_signature(
            keeper_identity(trust),
            reply.signature,
            session=reply.session,
            client_key=client_key,
            session_key=reply.keeper_key,
        )
        key = session_mac_key(
            private, reply.keeper_key, session=reply.session, client_key=client_key, keeper_key=reply.keeper_key
        )
    except (InvalidSignature, ValueError):
        raise KeeperNotThePinnedOne("The session was not opened by the pinned keeper.") from None
    return CiSession(reply.session, key, reply.expires_at, private)


def _check_service(trust: Trust) -> Steps[None]:
    """Why a token made out to the service of the pins was refused: the address may be of another, and then it is not
    the token that is wrong.

    Raises KeeperNotThePinnedOne: what answers here says itself that it is another.
    """
    try:
        status = yield from call("GET", "/v1/status", _status)
    except HsmpubError:
        return
    if (status.service, status.keeper_key) == (trust.service, trust.keeper_key):
        return
    whose = "another keeper" if status.service == trust.service else f"the service {trust.service!r}"
    raise KeeperNotThePinnedOne(
        f"This address is the service {status.service!r}, and the pins are of {whose}.",
        next_step="Name address and pins of one service: --url and --trust, or HSMPUB_URL and HSMPUB_TRUST. If they "
        "are, do not go on: what answers here is not the keeper of trust.json.",
    )


def _asked(body: bytes) -> Steps[SessionReply]:
    """Asks, and again while the service does not know its issuers' keys yet: the token was not looked at until then."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            reply: SessionReply = yield from call("POST", "/v1/sessions", _reply, content=body, headers=JSON)
        except HsmpubError as refusal:
            if refusal.rule != "issuer-keys-missing" or time.monotonic() > until:
                raise
            yield Pause(PAUSE)
        else:
            return reply
