"""Requests are cut and handed out fairly, and no item is lost or signed twice, whatever the sizes."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsmpub.errors import HsmpubError
from hsmpub.hsm.backlog import FRAME_COST, Backlog, Piece, Request, groups_of
from hsmpub.hsm.dispatch import Dispatch
from hsmpub.hsm.rules import SignatureNotVerified, SignerLost, TokenGone

requests = st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(1, 70), st.sampled_from([1, 2, 32])), max_size=8)


def request(key: str, items: list[bytes], cost: int = 1) -> Request:
    return Request(key, "sha256", items, cost, asyncio.get_running_loop().create_future())


@given(requests, st.lists(st.integers(1, FRAME_COST), min_size=1, max_size=5))
def test_every_item_is_taken_once(wanted: list[tuple[str, int, int]], budgets: list[int]) -> None:
    async def main() -> None:
        backlog, made = Backlog(), []
        for key, count, cost in wanted:
            made.append(request(key, [b"%d" % number for number in range(count)], cost))
            backlog.add(made[-1])
        rounds = 0
        while backlog:
            pieces = backlog.take(budgets[rounds % len(budgets)])
            rounds += 1
            assert pieces
            assert len(pieces) == 1 or sum(len(p) * p.request.cost for p in pieces) <= FRAME_COST
            for group, members in groups_of(pieces):
                assert len(group.items) == sum(map(len, members))
            for piece in pieces:
                piece.request.keep(piece.start, piece.request.items[piece.start : piece.stop])
        assert backlog.cost == 0
        for one in made:
            assert await one.future == one.items

    asyncio.run(main())


def test_a_request_that_was_given_up_takes_no_signer() -> None:
    async def main() -> None:
        backlog = Backlog()
        long = request("a", [b"x"] * 40)
        backlog.add(long)
        backlog.take(16)
        long.future.cancel()
        assert backlog.take(16) == []
        assert not backlog
        assert backlog.cost == 0

    asyncio.run(main())


def test_failing_all_tells_each_request_with_an_error_of_its_own() -> None:
    async def main() -> None:
        backlog = Backlog()
        two = [request("a", [b"x"]) for _ in range(2)]
        for one in two:
            backlog.add(one)
        backlog.fail_all(TokenGone("The token is away."))
        errors = [one.future.exception() for one in two]
        assert [type(error) for error in errors] == [TokenGone, TokenGone]
        assert errors[0] is not errors[1]

    asyncio.run(main())


@pytest.mark.parametrize("wrong_first", [True, False])
def test_a_wrong_signature_is_told_whatever_else_went_wrong(wrong_first: bool) -> None:
    """Of two attempts one gave a signature that does not verify, in the other the signer died."""
    alarms: list[str] = []

    async def main() -> None:
        dispatch = Dispatch.__new__(Dispatch)
        dispatch._backlog, dispatch._alarm = Backlog(), alarms.append
        piece = Piece(request("release", [b"x"]), 0, 1)
        errors: list[HsmpubError] = [SignatureNotVerified("It does not verify."), SignerLost("It died.")]
        for error in errors if wrong_first else errors[::-1]:
            dispatch._blame(piece, error)
        with pytest.raises(SignatureNotVerified):
            await piece.request.future

    asyncio.run(main())
    assert alarms == ["It does not verify. Key: release."]
