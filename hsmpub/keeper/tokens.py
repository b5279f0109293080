"""Identity tokens: verified against the policy's issuers, and used up once, durably."""

from __future__ import annotations

import hashlib

from hsmpub.errors import Conflict
from hsmpub.identity import CiIdentity, IssuerKeySet, parse_jwks, verify_token
from hsmpub.keeper.book import Book
from hsmpub.model import entry as e
from hsmpub.policy.model import Issuer


class TokenReplayed(Conflict):
    advice = "Each identity token opens one session. Get a fresh one."


class Tokens:
    """What a token proves now."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._jwks: dict[str, tuple[str, IssuerKeySet]] = {}

    def verify(self, token: bytes, client_key: bytes = b"") -> CiIdentity:
        """Who asks. client_key: that the token must name; empty: a plain token, of an issuer with `bearer = true`.

        Raises:
            The rules of hsmpub.identity.
        """
        return verify_token(
            token,
            client_key=client_key,
            issuers=self._book.policy.issuers,
            issuer_keys=self._issuer_keys(),
            now=self._book.now(),
        )

    async def use_up(self, who: CiIdentity, session: str, *, bearer: bool = False) -> None:
        """Logs that the token opened this session. Raises TokenReplayed."""
        async with self._book.turn():
            if who.token_id in self._book.state.used_tokens:
                raise TokenReplayed("This identity token was already used.")
            await self._book.record(
                e.SessionOpened(
                    at=self._book.now(),
                    session=session,
                    issuer=who.issuer,
                    subject=who.subject,
                    token_id=who.token_id,
                    token_expires_at=who.forget_at,
                    claims=dict(who.claims),
                    bearer=bearer,
                )
            )

    def vouches_for(self, name: str, issuer: Issuer | None) -> bool:
        """Whether the policy means the same issuer still by that name."""
        now = self._book.policy.issuers.get(name)
        return now is issuer or now == issuer

    def _issuer_keys(self) -> dict[str, IssuerKeySet]:
        """Parsed keys of every issuer, parsed again only when the log says that they changed."""
        known = self._book.issuer_keys()
        for name, text in known.items():
            digest = hashlib.sha256(text.encode()).hexdigest()
            if self._jwks.get(name, ("", None))[0] != digest:
                self._jwks[name] = (digest, parse_jwks(text.encode()))
        return {name: keys for name, (_, keys) in self._jwks.items() if name in known}
