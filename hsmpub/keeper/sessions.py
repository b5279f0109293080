"""Sessions of CI jobs: one identity token opens one, once; each request in it is authenticated by its own MAC."""

from __future__ import annotations

import hmac
import secrets
from collections import Counter
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from hsmpub.errors import Conflict, Invalid, Unauthenticated
from hsmpub.identity import CiIdentity
from hsmpub.keeper.book import Book
from hsmpub.keeper.tokens import Tokens
from hsmpub.policy.model import Issuer
from hsmpub.wire import messages as m
from hsmpub.wire.session import SESSION_CONTEXT, RequestMac, session_mac_key

#: A session ends after this many seconds. Its token, good for minutes, was used up when it opened; the session is long
#: enough for the upload of large files, and dies with the job's key or a restart of the keeper.
SESSION_SECONDS = 3600
MAX_SESSIONS = 4096
_WINDOW = 1024
_WHOLE_WINDOW = (1 << _WINDOW) - 1


class SessionUnknown(Unauthenticated):
    advice = "The session ended or the keeper restarted. Open a new one with a fresh token; nothing was done."
    retry_is_safe = True


class RequestNotAuthentic(Unauthenticated):
    advice = "The request was altered on its way, or made with another session's key."


class RequestReplayed(Conflict):
    advice = "Each request carries a counter of its own; send it again with the next one."


class SessionKeyMalformed(Invalid):
    advice = "Send a raw X25519 public key of 32 bytes."


@dataclass
class Session:
    """One CI job's session. The counters seen form a sliding window, as in IPsec (RFC 4303, 3.4.3).

    mac: of its requests; None in sessions of bearers, which authenticate none. issuer: what the policy said of who
    vouched for the job; it ends with that. client_key: raw X25519, the job's own, which its token named; empty in
    sessions of bearers.
    """

    id: str
    who: CiIdentity
    expires_at: int
    mac: RequestMac | None = field(default=None, repr=False)
    issuer: Issuer | None = None
    client_key: bytes = b""
    newest: int = 0
    window: int = 0
    decisions: dict[object, object] = field(default_factory=dict, repr=False)

    def check_counter(self, counter: int) -> None:
        """Raises RequestReplayed: seen before, or too far behind to know."""
        if counter > self.newest:
            shift = min(counter - self.newest, _WINDOW)
            self.window = ((self.window << shift) | 1) & _WHOLE_WINDOW
            self.newest = counter
            return
        behind = self.newest - counter
        # The distance is the sender's: shifted by it unlooked at, one bit would take all memory there is.
        if behind >= _WINDOW or self.window >> behind & 1:
            raise RequestReplayed("This request was already received.")
        self.window |= 1 << behind


class Sessions:
    """The sessions that are open now; none survives a restart of the keeper."""

    def __init__(self, book: Book, tokens: Tokens, identity: Ed25519PrivateKey) -> None:
        self._book = book
        self._tokens = tokens
        self._identity = identity
        self._open: dict[bytes, Session] = {}

    async def open(self, message: m.OpenSession) -> m.SessionReply:
        """Verifies the token against the policy's issuers, uses it up, and agrees on a MAC key.

        Raises:
            TokenReplayed, SessionKeyMalformed, and the rules of hsmpub.identity.
        """
        if len(message.client_key) != 32:
            raise SessionKeyMalformed("The session key has the wrong length.")
        now, policy = self._book.now(), self._book.policy
        who = self._tokens.verify(message.token, message.client_key)
        private = X25519PrivateKey.generate()
        session, keeper_key = secrets.token_bytes(16), private.public_key().public_bytes_raw()
        expires_at = now + SESSION_SECONDS
        mac_key = session_mac_key(
            private, message.client_key, session=session, client_key=message.client_key, keeper_key=keeper_key
        )
        self._drop_expired(now)
        await self._tokens.use_up(who, session.hex())
        self._make_room()
        issuer, own_key = policy.issuers[who.issuer], message.client_key if who.bound else b""
        self._open[session] = Session(session.hex(), who, expires_at, RequestMac(mac_key), issuer, own_key)
        signature = self._identity.sign(SESSION_CONTEXT + session + message.client_key + keeper_key)
        return m.SessionReply(session, keeper_key, signature, expires_at)

    def authenticate(self, message: m.Submit) -> Session:
        """The session of an authentic, fresh request.

        Raises:
            SessionUnknown, RequestNotAuthentic, RequestReplayed.
        """
        session = self._open.get(message.session)
        if (
            session is None
            or session.mac is None
            or session.expires_at <= self._book.now()
            or not self._tokens.vouches_for(session.who.issuer, session.issuer)
        ):
            raise SessionUnknown("There is no such session.")
        if not 0 < message.counter < 1 << 63:
            raise RequestReplayed("The request's counter is out of range.")
        if not hmac.compare_digest(session.mac.of(message.counter, message.body), message.mac):
            raise RequestNotAuthentic("The request does not come from the job that opened the session.")
        session.check_counter(message.counter)
        return session

    def forget_decisions(self) -> None:
        """After a new policy: whatever was decided under the old one is decided again."""
        for session in self._open.values():
            session.decisions.clear()

    def _drop_expired(self, now: int) -> None:
        self._open = {key: s for key, s in self._open.items() if s.expires_at > now}
        self._book.state.forget_expired_tokens(now)

    def _make_room(self) -> None:
        """Ends the oldest session of whoever has most, when there are too many: nobody can lock the others out."""
        while len(self._open) >= MAX_SESSIONS:
            held = Counter((s.who.issuer, s.who.subject) for s in self._open.values())
            [(most, _)] = held.most_common(1)
            oldest = next(key for key, s in self._open.items() if (s.who.issuer, s.who.subject) == most)
            del self._open[oldest]
