"""Somebody touched the token, its PIN or the log: it seals by itself, says why, and the log has it."""

from __future__ import annotations

import asyncio

import pytest
from keeping import Kept
from test_unseal_limits import sealed_by, status

from hsmpub.errors import HsmpubError
from hsmpub.hsm.rules import KeyChanged, KeyMissing, PinRefused, SignatureNotVerified, TokenGone
from hsmpub.tlog.rules import LogAltered
from hsmpub.wire import messages as m
from tests.service.jobs import routine


def finding(error: HsmpubError):  # type: ignore[no-untyped-def]
    async def recheck() -> None:
        raise error

    return recheck


@pytest.mark.parametrize(
    "error", [KeyChanged("changed"), KeyMissing("gone"), PinRefused("refused"), SignatureNotVerified("another key")]
)
def test_what_the_second_look_finds_seals(error: HsmpubError, kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        kept.signers.recheck = finding(error)  # type: ignore[attr-defined]
        await kept.keeper.watching.recheck()
        assert sealed_by(kept) == [error.rule]
        assert kept.signers.closed
        assert "alarm" in (await status(kept)).why
        assert (await status(kept)).counters["hsmpub_sealed_by_itself_total"] == 1

    asyncio.run(scenario())


def test_a_token_that_is_away_for_a_while_seals_nothing_and_is_told(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        kept.signers.recheck = finding(TokenGone("The token is away."))  # type: ignore[attr-defined]
        await kept.keeper.watching.recheck()
        assert kept.keeper.unsealing.is_unsealed
        assert any("The token is away." in warning for warning in (await status(kept)).warnings)

    asyncio.run(scenario())


@pytest.mark.parametrize("found_by", ["the second look", "a request"])
def test_a_log_that_was_edited_seals(found_by: str, kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        view = await kept.release()
        index = next(i for i, entry in enumerate(kept.entries()) if type(entry).__name__ == "Requested")
        held = kept.store._entries
        held[index] = held[index].replace(b"1.0", b"6.6")
        if found_by == "a request":
            with pytest.raises(LogAltered):
                await kept.call(m.GetRequest(view.request))
        else:
            await kept.keeper.watching.recheck()
        assert not kept.keeper.unsealing.is_unsealed
        assert "entry" in kept.keeper.unsealing.why.lower()

    asyncio.run(scenario())


def test_the_log_as_the_keeper_wrote_it_passes_while_it_is_written(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        kept.signers.recheck = nothing  # type: ignore[attr-defined]
        job = await kept.nightly()
        for _ in range(30):
            writing = asyncio.ensure_future(job.ask(routine("a", "b")))
            await kept.keeper.watching.recheck()
            await writing
        assert kept.keeper.unsealing.is_unsealed

    asyncio.run(scenario())


async def nothing() -> None:
    pass
