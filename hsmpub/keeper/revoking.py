"""Lists of revoked certificates, one after the other: each holds what the log says, under a number of its own."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, nullcontext

import msgspec

from hsmpub.errors import Invalid
from hsmpub.formats.context import Context, RevokedSoFar
from hsmpub.keeper.book import Book

_FORMAT = "x509-crl"


class OneListAtATime(Invalid):
    advice = "Put all that is to be revoked into one file."


class Revoking:
    """Begins each list where the log's last one ended."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._turn = asyncio.Lock()

    def turn(self, formats: tuple[str, ...]) -> AbstractAsyncContextManager[object]:
        """Held until a list is in the log, so that the next one goes on from there; other formats need no turn."""
        return self._turn if _FORMAT in formats else nullcontext()

    def with_log(self, context: Context, key: str, files: int) -> Context:
        """What the list of this CA's key begins with. Raises OneListAtATime."""
        if context.crl is None:
            return context
        if files != 1:
            raise OneListAtATime(f"The request asks for {files} lists.")
        of = self._book.state.authorities
        so_far = RevokedSoFar(of.next_number(key, context.at), of.revoked(key), of.issued(key).keys())
        return msgspec.structs.replace(context, revoked=so_far)
