"""Lists of revoked certificates, one after the other: each holds what the log says, under a number of its own."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence

import msgspec

from hsmpub.errors import Invalid
from hsmpub.formats.context import Context, RevokedSoFar
from hsmpub.keeper.book import Book
from hsmpub.model.predicate import Signing
from hsmpub.model.profiles import CrlProfile

_FORMAT = "x509-crl"


class OneListAtATime(Invalid):
    advice = "Put all that is to be revoked into one file."


class Revoking:
    """Begins each list where the log's last one ended."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def turn(self, sign: Sequence[Signing]) -> asyncio.Lock:
        """Held until a list is in the log, so that the next one of this CA goes on from there; other CAs need no turn,
        and other formats none at all. Nothing that its sender can draw out is done meanwhile."""
        return self._turns[next(one.key for one in sign if _FORMAT in one.formats)]

    def with_log(self, context: Context, key: str) -> Context:
        """What the list of this CA's key begins with."""
        if context.crl is None:
            return context
        of = self._book.state.authorities
        so_far = RevokedSoFar(of.next_number(key, context.at), of.revoked(key), of.issued(key).keys())
        return msgspec.structs.replace(context, revoked=so_far)


def check_one_list(crl: CrlProfile | None, files: int) -> None:
    """Raises OneListAtATime."""
    if crl is not None and files != 1:
        raise OneListAtATime(f"The request asks for {files} lists.")
