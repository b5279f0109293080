"""One holder may seal and say that they are there, with a signature by their share; and nothing else, and once."""

from __future__ import annotations

import asyncio

import pytest
from keeping import HOLDERS, Kept, share_signature
from test_unseal_limits import sealed_by, status, with_sealing

from hsmpub.errors import HsmpubError
from hsmpub.keeper.holding import ReasonTooLong
from hsmpub.keeper.nonces import NONCE_SECONDS, NonceOver, NonceUsed
from hsmpub.model import entry as e
from hsmpub.model.holder_act import act_to_sign
from hsmpub.shares.record import UnknownHolder
from hsmpub.shares.verifier import HolderSignatureWrong
from hsmpub.wire import messages as m


async def nonce(kept: Kept) -> m.NonceReply:
    reply = await kept.call(m.GetNonce())
    assert isinstance(reply, m.NonceReply)
    return reply


async def order(kept: Kept, holder: str = HOLDERS[1], reason: str = "I am worried") -> m.SealAsHolder:
    given = await nonce(kept)
    signature = share_signature(holder, "seal", act_to_sign(given.service, given.nonce, reason))
    return m.SealAsHolder(holder, given.nonce, reason, signature)


async def word(kept: Kept, holder: str = HOLDERS[1]) -> m.SayAlive:
    given = await nonce(kept)
    return m.SayAlive(holder, given.nonce, share_signature(holder, "alive", act_to_sign(given.service, given.nonce)))


def test_one_holder_seals_at_once_and_the_log_names_them(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        assert isinstance(await kept.call(await order(kept)), m.Done)
        assert not kept.keeper.unsealing.is_unsealed
        assert kept.signers.closed
        [entry] = [entry for entry in kept.entries() if isinstance(entry, e.SealedBy)]
        assert (entry.holder, entry.reason, entry.person, entry.rule) == (HOLDERS[1], "I am worried", "", "")

    asyncio.run(scenario())


def test_an_order_seals_once(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        sent = await order(kept)
        await kept.call(sent)
        await kept.unseal()
        with pytest.raises(NonceUsed):
            await kept.call(sent)
        assert kept.keeper.unsealing.is_unsealed

    asyncio.run(scenario())


def test_refuses_what_the_holder_did_not_sign(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        sent = await order(kept)
        alive = await word(kept)
        attempts: list[tuple[type[HsmpubError], m.FrontMessage]] = [
            (HolderSignatureWrong, m.SealAsHolder(HOLDERS[0], sent.nonce, sent.reason, sent.signature)),
            (HolderSignatureWrong, m.SealAsHolder(sent.holder, sent.nonce, "another reason", sent.signature)),
            (HolderSignatureWrong, m.SealAsHolder(alive.holder, alive.nonce, "", alive.signature)),
            (HolderSignatureWrong, m.SayAlive(sent.holder, sent.nonce, sent.signature)),
            (HolderSignatureWrong, m.SealAsHolder(sent.holder, sent.nonce, sent.reason, b"")),
            (UnknownHolder, m.SealAsHolder("holder-9", sent.nonce, sent.reason, sent.signature)),
            (NonceOver, m.SealAsHolder(sent.holder, b"", sent.reason, sent.signature)),
            (NonceOver, m.SealAsHolder(sent.holder, bytes(32), sent.reason, sent.signature)),
            (NonceOver, m.SealAsHolder(sent.holder, sent.nonce + b"x", sent.reason, sent.signature)),
            (ReasonTooLong, m.SealAsHolder(sent.holder, sent.nonce, "x" * 501, sent.signature)),
        ]
        for rule, message in attempts:
            with pytest.raises(rule):
                await kept.call(message)
        assert kept.keeper.unsealing.is_unsealed
        assert "HolderPresent" not in kept.kinds()
        kept.offset = NONCE_SECONDS + 1
        with pytest.raises(NonceOver):
            await kept.call(sent)
        assert kept.keeper.unsealing.is_unsealed

    asyncio.run(scenario())


def test_a_nonce_of_before_a_restart_counts_no_longer(kept: Kept) -> None:
    async def scenario() -> None:
        from hsmpub.keeper.nonces import Nonces

        before, after = Nonces(), Nonces()
        with pytest.raises(NonceOver):
            after.check(before.give(1000), 1000)
        given = before.give(1000)
        before.use_up(given, 1000)
        with pytest.raises(NonceUsed):
            before.use_up(given, 1001)

    asyncio.run(scenario())


def test_seals_when_no_holder_was_heard_of_for_the_dead_mans_interval(kept: Kept) -> None:
    async def scenario() -> None:
        await with_sealing(kept, 'dead_man = "7d"')
        await kept.unseal()
        day = 86_400
        kept.offset = 6 * day
        assert [warning for warning in (await status(kept)).warnings if "no holder was heard of" in warning]
        await kept.call(await word(kept))
        assert (await status(kept)).dead_man_at == pytest.approx(kept.now() + 7 * day, abs=5)
        kept.offset = 12 * day
        await kept.keeper.unsealing.look()
        assert kept.keeper.unsealing.is_unsealed
        kept.offset = 13 * day + 10
        await kept.keeper.unsealing.look()
        assert sealed_by(kept) == ["dead-man"]

    asyncio.run(scenario())


def test_a_word_that_is_not_logged_starts_no_clock(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        before = kept.keeper.book.state.present_at
        kept.offset = 100
        kept.store.refuse = "alive"
        with pytest.raises(HsmpubError):
            await kept.call(await word(kept))
        assert kept.keeper.book.state.present_at == before

    asyncio.run(scenario())
