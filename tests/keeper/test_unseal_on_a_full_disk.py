"""The log cannot take the fact of an unsealing: then it is not unsealed, nobody is stuck, and it works with room."""

from __future__ import annotations

import asyncio

import pytest
from keeping import HOLDERS, Kept

from hsmpub.errors import Sealed
from hsmpub.tlog.rules import LogUnavailable
from hsmpub.wire import messages as m
from tests.service.jobs import routine


@pytest.mark.parametrize("handed_in_before", [0, 2])
def test_a_share_that_is_not_logged_can_be_handed_in_again(kept: Kept, handed_in_before: int) -> None:
    async def scenario() -> None:
        for holder in HOLDERS[:handed_in_before]:
            await kept.hand_in(holder)
        kept.store.refuse = "share"
        with pytest.raises(LogUnavailable):
            await kept.hand_in(HOLDERS[handed_in_before])
        kept.store.refuse = ""
        attempt = await kept.call(m.GetAttempt())
        assert isinstance(attempt, m.AttemptReply)
        for holder in HOLDERS:
            if holder not in attempt.accepted:
                await kept.hand_in(holder)
        assert kept.keeper.unsealing.is_unsealed
        assert kept.kinds().count("UnsealedBy") == 1

    asyncio.run(scenario())


def test_an_unsealing_that_is_not_logged_leaves_it_sealed(kept: Kept) -> None:
    async def scenario() -> None:
        kept.store.refuse = "unseal"
        with pytest.raises(LogUnavailable):
            await kept.unseal()
        assert not kept.keeper.unsealing.is_unsealed
        assert kept.signers.closed
        job = await kept.nightly()
        with pytest.raises(Sealed):
            await job.ask(routine("a.bin"))
        kept.store.refuse = ""
        await kept.unseal()
        assert isinstance(await job.ask(routine("a.bin")), m.SignReply)
        assert kept.kinds().count("UnsealedBy") == 1

    asyncio.run(scenario())


def test_a_sealing_that_is_not_logged_seals_all_the_same(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        kept.store.refuse = "seal"
        with pytest.raises(LogUnavailable):
            await kept.keeper.unsealing.seal("asked for", person="security-officer")
        assert not kept.keeper.unsealing.is_unsealed
        assert kept.signers.closed

    asyncio.run(scenario())
