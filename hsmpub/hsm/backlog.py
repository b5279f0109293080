"""Requests cut into pieces that signers take: fair between requests, large enough to be cheap.

A piece is as long as costs allow: a frame should keep a signer busy for a millisecond or three, so that
large requests spread over all signers and small ones do not wait behind them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

import msgspec

from hsmpub.errors import HsmpubError, again
from hsmpub.hsm.messages import Group
from hsmpub.model.key import KeyKind

#: What an item costs, in P-256 signatures with their verification (about 0.1 ms).
COSTS: dict[KeyKind, int] = {"p256": 1, "ed25519": 2, "rsa3072": 32, "rsa3072-decrypt": 32, "aes256": 1}
#: What a frame may cost; one item goes whatever it costs.
FRAME_COST = 32


class Request:
    """One call of `sign`, until every item has its signature."""

    __slots__ = ("cost", "future", "hash", "items", "key", "left", "signatures")

    def __init__(
        self, key: str, hash_name: str, items: Sequence[bytes], cost: int, future: asyncio.Future[list[bytes]]
    ) -> None:
        self.key = key
        self.hash = hash_name
        self.items = items
        self.cost = cost
        self.left = count = len(items)
        self.signatures = [b""] * count
        self.future = future

    def keep(self, place: int, signatures: Sequence[bytes]) -> None:
        count = len(signatures)
        self.signatures[place : place + count] = signatures
        self.left -= count
        if not self.left and not self.future.done():
            self.future.set_result(self.signatures)

    def fail(self, error: HsmpubError) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class Piece(msgspec.Struct, eq=False):
    """Items `start` to `stop` of a request. failures: how often a signer failed with it in hand; wrong: what was said
    of a signature of it that did not verify."""

    request: Request
    start: int
    stop: int
    failures: int = 0
    wrong: HsmpubError | None = None

    def __len__(self) -> int:
        return self.stop - self.start


class Backlog:
    """Pieces that no signer has taken yet."""

    def __init__(self) -> None:
        self._pieces: deque[Piece] = deque()
        self.cost = 0

    def __bool__(self) -> bool:
        return bool(self._pieces)

    def __len__(self) -> int:
        """Pieces."""
        return len(self._pieces)

    def add(self, request: Request) -> None:
        self._pieces.append(Piece(request, 0, request.left))
        self.cost += request.left * request.cost

    def put_back(self, piece: Piece) -> None:
        """A piece that came back undone goes first."""
        self._pieces.appendleft(piece)
        self.cost += len(piece) * piece.request.cost

    def take(self, budget: int) -> list[Piece]:
        """Pieces that cost `budget` together, at least one item; the rest of a long request goes to the end."""
        taken: list[Piece] = []
        pieces = self._pieces
        while pieces:
            piece = pieces[0]
            request, count = piece.request, piece.stop - piece.start
            cost = request.cost
            if cost > budget and taken:
                break
            pieces.popleft()
            self.cost -= count * cost
            if request.future.done():  # given up, or failed in another piece
                continue
            if count * cost > budget and (fits := max(1, budget // cost)) < count:
                rest = Piece(request, piece.start + fits, piece.stop, piece.failures, piece.wrong)
                piece.stop = rest.start
                pieces.append(rest)
                self.cost += (count - fits) * cost
                count = fits
            taken.append(piece)
            budget -= count * cost
        return taken

    def fail_all(self, error: HsmpubError) -> None:
        while self._pieces:
            self._pieces.popleft().request.fail(again(error))
        self.cost = 0


def groups_of(pieces: Sequence[Piece]) -> list[tuple[Group, list[Piece]]]:
    """Neighbouring pieces for the same key and hash as one group."""
    groups: list[tuple[Group, list[Piece]]] = []
    of = None
    for piece in pieces:
        request = piece.request
        if (request.key, request.hash) != of:
            of = request.key, request.hash
            items, members = list[bytes](), list[Piece]()
            groups.append((Group(*of, items), members))
        items += request.items[piece.start : piece.stop]
        members.append(piece)
    return groups
