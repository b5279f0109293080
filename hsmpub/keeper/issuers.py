"""Signing keys of CI issuers: the courier fetches them from the URL of the policy; never the front."""

from __future__ import annotations

from hsmpub.errors import Forbidden
from hsmpub.identity import parse_jwks
from hsmpub.keeper.book import Book
from hsmpub.model import entry as e
from hsmpub.wire import messages as m


class IssuerNotInPolicy(Forbidden):
    advice = "Fetch the issuers again."


class Issuers:
    def __init__(self, book: Book) -> None:
        self._book = book
        #: of the courier, which tells them whenever it asks
        self.protections: dict[str, str] = {}

    def list(self, message: m.GetIssuers) -> m.IssuersReply:
        self.protections = {f"courier: {name}": why for name, why in message.protections.items() if why != "on"}
        return m.IssuersReply(
            tuple(
                m.IssuerToFetch(name, issuer.url, issuer.loopback) for name, issuer in self._book.policy.issuers.items()
            )
        )

    async def offer(self, message: m.OfferIssuerKeys) -> None:
        """Takes an issuer's keys into the log, when they differ from those known.

        Raises:
            IssuerNotInPolicy, and the rules of hsmpub.identity for a malformed set.
        """
        parse_jwks(message.jwks)
        text = message.jwks.decode()
        async with self._book.turn():
            issuer = self._book.policy.issuers.get(message.issuer)
            if issuer is None or issuer.url != message.url:
                raise IssuerNotInPolicy("The policy names no such issuer, or another one by that name.")
            known = self._book.state.issuer_keys.get(message.issuer)
            if known is None or (known.jwks, known.url) != (text, message.url):
                await self._book.record(e.IssuerKeys(self._book.now(), message.issuer, text, message.url))
