"""I4: an attempt ends with its time, and what was handed in is forgotten."""

from __future__ import annotations

import asyncio
import secrets

import pytest
from keeping import HOLDERS, Kept, ssh_signature

from hsmpub.keeper.attempts import ATTEMPT_SECONDS, AttemptOver
from hsmpub.keeper.unsealing import AlreadyUnsealed, SealedMeanwhile
from hsmpub.model import submission as s
from hsmpub.model.personal import AskSeal
from hsmpub.model.statement import REQUEST_NAMESPACE
from hsmpub.wire import messages as m


def test_shares_of_an_attempt_whose_time_is_over_count_no_longer(kept: Kept) -> None:
    async def scenario() -> None:
        old = await kept.attempt()
        for holder in HOLDERS[:2]:
            await kept.hand_in(holder)
        kept.offset = ATTEMPT_SECONDS + 1
        with pytest.raises(AttemptOver):
            await kept.call(m.HandIn(old.attempt, HOLDERS[2], b"box"))
        fresh = await kept.attempt()
        assert fresh.attempt != old.attempt
        assert fresh.accepted == ()
        await kept.hand_in(HOLDERS[2])
        assert not kept.keeper.unsealing.is_unsealed
        assert "UnsealedBy" not in kept.kinds()

    asyncio.run(scenario())


def test_asking_for_the_attempt_does_not_prolong_it(kept: Kept) -> None:
    async def scenario() -> None:
        first = await kept.attempt()
        kept.offset = ATTEMPT_SECONDS - 10
        assert (await kept.attempt()).expires_at == first.expires_at
        await kept.hand_in(HOLDERS[0])
        assert (await kept.attempt()).expires_at == first.expires_at

    asyncio.run(scenario())


def test_nothing_is_handed_in_while_unsealed(kept: Kept) -> None:
    async def scenario() -> None:
        attempt = await kept.attempt()
        await kept.unseal()
        with pytest.raises(AlreadyUnsealed):
            await kept.call(m.HandIn(attempt.attempt, HOLDERS[0], b"box"))
        with pytest.raises(AlreadyUnsealed):
            await kept.attempt()

    asyncio.run(scenario())


@pytest.mark.parametrize("moment", ["while the signers log in", "while the log takes the unsealing"])
def test_a_seal_ends_an_unsealing_that_is_under_way(moment: str, kept: Kept) -> None:
    async def scenario() -> None:
        async def seal() -> None:
            body = AskSeal("security-officer", secrets.token_hex(16), kept.now(), "something is wrong")
            data = s.dump_submission(body)
            signature = ssh_signature("security-officer", data, REQUEST_NAMESPACE)
            sealing.append(asyncio.ensure_future(kept.call(m.SubmitPersonal(data, signature))))
            await asyncio.sleep(0)

        sealing: list[asyncio.Future[m.FrontReply]] = []
        if moment == "while the signers log in":
            kept.logging_in = seal
        else:
            kept.store.hold = "unseal"
        unsealing = asyncio.ensure_future(kept.unseal())
        if kept.store.hold:
            assert await asyncio.to_thread(kept.store.held.wait, 30)
            await seal()
            kept.store.release()
        with pytest.raises(SealedMeanwhile):
            await unsealing
        assert isinstance(await sealing[0], m.Done)
        assert not kept.keeper.unsealing.is_unsealed
        assert kept.signers.closed
        assert kept.kinds()[-1] == "SealedBy"
        kept.logging_in = None
        await kept.unseal()
        assert kept.keeper.unsealing.is_unsealed

    asyncio.run(scenario())
