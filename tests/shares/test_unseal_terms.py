"""Shares come together only under the same terms; holders choose theirs, and nobody takes another's away."""

from __future__ import annotations

import asyncio

import pytest
from shares_of import PIN, Holders, box_of

from hsmpub.errors import HsmpubError
from hsmpub.model.terms import Terms, bound_attempt, dump_terms
from hsmpub.secret.page import SecretPage
from hsmpub.shares.attempt import UnsealAttempt
from hsmpub.shares.gathering import EnoughShares, ShareAlreadyHandedIn, ShareBoxUnreadable

DAY, HOUR = dump_terms(Terms(86_400)), dump_terms(Terms(3600, 500, ("sdk-python",)))


def test_shares_under_different_terms_stay_apart_and_move_with_their_holder(holders: Holders) -> None:
    async def scenario() -> None:
        attempt = await UnsealAttempt.start(holders.record, now=1_000, lifetime=60)
        try:

            async def hand_in(name: str, terms: bytes) -> tuple[str, ...]:
                bound = bound_attempt(attempt.attempt, terms)
                return await attempt.hand_in(name, box_of(holders.words(name), bound, attempt.key, name), terms)

            assert await hand_in("holder-1", DAY) == ("holder-1",)
            assert await hand_in("holder-2", HOUR) == ("holder-2",)
            assert await hand_in("holder-3", b"") == ("holder-3",)
            assert attempt.by_terms == {DAY: ("holder-1",), HOUR: ("holder-2",), b"": ("holder-3",)}
            with pytest.raises(ShareAlreadyHandedIn):
                await hand_in("holder-1", DAY)
            # a box for one terms counts under no others, whatever the keeper is told
            box = box_of(holders.words("holder-4"), bound_attempt(attempt.attempt, DAY), attempt.key, "holder-4")
            for terms in (HOUR, b""):
                with pytest.raises(ShareBoxUnreadable):
                    await attempt.hand_in("holder-4", box, terms)
            assert await hand_in("holder-1", HOUR) == ("holder-2", "holder-1")
            assert attempt.by_terms == {HOUR: ("holder-2", "holder-1"), b"": ("holder-3",)}
            assert not attempt.is_complete
            assert await hand_in("holder-5", HOUR) == ("holder-2", "holder-1", "holder-5")
            assert attempt.is_complete
            with pytest.raises(EnoughShares):
                await hand_in("holder-4", DAY)
            with SecretPage() as page:
                await attempt.take_pin(page)
                assert bytearray(page.view) == PIN
        finally:
            await attempt.close()

    asyncio.run(scenario())


def test_a_refused_share_begins_no_terms(holders: Holders) -> None:
    async def scenario() -> None:
        attempt = await UnsealAttempt.start(holders.record, now=1_000, lifetime=60)
        try:
            for count in range(40):
                with pytest.raises(HsmpubError):
                    await attempt.hand_in("holder-1", bytes(300), dump_terms(Terms(signatures=count + 1)))
            assert attempt.by_terms == {}
        finally:
            await attempt.close()

    asyncio.run(scenario())
