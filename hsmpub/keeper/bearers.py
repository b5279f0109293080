"""Sessions for programs that speak the transit API, which knows no request that authenticates itself.

Whoever holds the bearer may ask, the front among them, until it ends. So a bearer session is short, is opened only with
tokens of issuers that the policy says `bearer = true` of, is for one project, and has digests signed in bare formats:
nothing that takes an approval, no upload, no release. It is never looked up where a session's MAC is checked.
"""

from __future__ import annotations

import hashlib
import secrets

from hsmpub.errors import Invalid, Unauthenticated
from hsmpub.formats.format import Artifact
from hsmpub.formats.given_digest import GivenDigest
from hsmpub.formats.sha256state import HeldSha256
from hsmpub.keeper.book import Book
from hsmpub.keeper.routine import Routine
from hsmpub.keeper.sessions import Session
from hsmpub.keeper.tokens import Tokens
from hsmpub.model import submission as s
from hsmpub.model.key import KeyKind
from hsmpub.wire import messages as m

BEARER_SECONDS = 900
MAX_BEARERS = 1024
#: One log entry holds them all.
MAX_DIGESTS = 128
#: What a program gets that brings a digest, or for Ed25519 a message.
_FORMATS: dict[KeyKind, str] = {
    "p256": "der-signature",
    "rsa3072": "der-signature",
    "ed25519": "ed25519-signature",
}


class BearerUnknown(Unauthenticated):
    advice = "The session ended or the keeper restarted: log in again with a fresh identity token."


class DigestsRefused(Invalid):
    advice = f"Send 1 to {MAX_DIGESTS} at once."


class Bearers:
    """The bearer sessions that are open now; none survives a restart of the keeper."""

    def __init__(self, book: Book, tokens: Tokens, routine: Routine) -> None:
        self._book = book
        self._tokens = tokens
        self._routine = routine
        #: SHA-256 of the bearer → its session and project; the bearer itself is not kept.
        self._open: dict[bytes, tuple[Session, str]] = {}

    async def open(self, message: m.OpenBearer) -> m.BearerReply:
        """Verifies the token and uses it up.

        Raises:
            TokenReplayed, UnknownProject, NotARequester, ApprovalNeeded, and the rules of hsmpub.identity.
        """
        who = self._tokens.verify(message.token)
        policy, now = self._book.policy, self._book.now()
        policy.check_routine(who, message.project)
        session = Session(secrets.token_hex(16), who, now + BEARER_SECONDS, issuer=policy.issuers[who.issuer])
        await self._tokens.use_up(who, session.id, bearer=True)
        self._open = {key: kept for key, kept in self._open.items() if kept[0].expires_at > now}
        while len(self._open) >= MAX_BEARERS:
            del self._open[next(iter(self._open))]
        bearer = secrets.token_bytes(32)
        self._open[_name_of(bearer)] = session, message.project
        return m.BearerReply(bearer, session.expires_at)

    def look_up(self, bearer: bytes) -> m.BearerView:
        """How the session stands. Raises BearerUnknown."""
        session, project = self.find(bearer)
        ends = session.expires_at
        return m.BearerView(project, ends - BEARER_SECONDS, ends, self._book.now())

    def revoke(self, bearer: bytes) -> None:
        """Ends the session at once. Raises BearerUnknown."""
        self.find(bearer)
        del self._open[_name_of(bearer)]

    async def sign(self, message: m.SignDigests) -> m.SignReply:
        """A bare signature of each item, in their order.

        Raises:
            BearerUnknown, DigestsRefused, DigestNotEnough, and what `Routine.sign` raises.
        """
        session, project = self.find(message.bearer)
        items = list(dict.fromkeys(message.items))
        if not 0 < len(items) <= MAX_DIGESTS or len(items) != len(message.items):
            raise DigestsRefused(f"The request brings {len(message.items)} digests, or one twice.")
        key = self._book.keys.active.get(message.key)
        form = _FORMATS.get(key.kind, "der-signature") if key else "der-signature"
        whole = form == "ed25519-signature"
        artifacts = [_whole(item, form) if whole else _digest(item) for item in items]
        return await self._routine.sign(session, s.AskSign(project, (form,), message.key), artifacts)

    def forget_decisions(self) -> None:
        """After a new policy: whatever was decided under the old one is decided again."""
        for session, _ in self._open.values():
            session.decisions.clear()

    def find(self, bearer: bytes) -> tuple[Session, str]:
        """The session of a bearer, and its project. Raises BearerUnknown."""
        found = self._open.get(_name_of(bearer))
        if (
            found is None
            or found[0].expires_at <= self._book.now()
            or not self._tokens.vouches_for(found[0].who.issuer, found[0].issuer)
        ):
            raise BearerUnknown("There is no such session.")
        return found


def _name_of(bearer: bytes) -> bytes:
    return hashlib.sha256(bearer).digest()


def _digest(item: bytes) -> Artifact:
    """The log calls what nobody names by its digest."""
    return Artifact(item.hex(), GivenDigest(item))


def _whole(item: bytes, form: str) -> Artifact:
    held = hashlib.sha256(item)
    return Artifact(held.hexdigest(), HeldSha256(held, len(item)), {form: item})
