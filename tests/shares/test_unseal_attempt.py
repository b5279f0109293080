"""Every way in which a share can be wrong, against the real gathering process."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal

import msgspec
import pytest
from gathered import attempt_at, refused
from shamir_mnemonic.share import Share
from shares_of import PIN, Holders, box_of

from hsmpub.secret.page import SecretPage
from hsmpub.shares.attempt import AttemptExpired, AttemptLost
from hsmpub.shares.derive import SecretFailsKeyCheck
from hsmpub.shares.gathering import (
    EnoughShares,
    ShareAlreadyHandedIn,
    ShareAltered,
    ShareBoxUnreadable,
    ShareOfAnotherHolder,
    TooFewHolders,
)
from hsmpub.shares.record import UnknownHolder
from hsmpub.shares.slip39 import ShareHeaderLies, ShareMalformed, ShareOfAnotherEpoch


def test_any_three_of_five_open_the_pin_into_a_page(holders: Holders) -> None:
    async def scenario() -> None:
        async with attempt_at(holders.record) as (attempt, hand_in):
            assert attempt.expires_at == 1_060
            assert attempt.protections["no-core-file"] == "on"
            assert await hand_in("holder-5", holders.words("holder-5")) == ("holder-5",)
            assert await hand_in("holder-2", holders.words("holder-2")) == ("holder-5", "holder-2")
            assert not attempt.is_complete
            assert await hand_in("holder-3", holders.words("holder-3")) == ("holder-5", "holder-2", "holder-3")
            assert attempt.is_complete
            with SecretPage() as page:
                await attempt.take_pin(page)
                assert bytearray(page.view) == PIN
                await refused(AttemptLost, attempt.take_pin(page))
            await refused(EnoughShares, hand_in("holder-1", holders.words("holder-1")))

    asyncio.run(scenario())


def test_refusals_name_the_holder_and_change_nothing(holders: Holders, other_holders: Holders) -> None:
    mine, alien = holders.words("holder-2"), other_holders.words("holder-2")
    share = Share.from_mnemonic(mine.decode())

    def forged(**changes: object) -> bytes:
        return dataclasses.replace(share, **changes).mnemonic().encode()  # type: ignore[arg-type]

    async def scenario() -> None:
        async with attempt_at(holders.record) as (attempt, hand_in):
            await hand_in("holder-1", holders.words("holder-1"))
            await refused(UnknownHolder, hand_in("holder-6", mine))
            await refused(ShareAlreadyHandedIn, hand_in("holder-1", holders.words("holder-1")))
            said = await refused(ShareOfAnotherHolder, hand_in("holder-2", holders.words("holder-1")))
            assert said.startswith("holder-2 handed in the share of holder-1.")
            await refused(ShareMalformed, hand_in("holder-2", mine[:-3]))
            await refused(ShareMalformed, hand_in("holder-2", b""))
            await refused(ShareMalformed, hand_in("holder-2", bytes(range(256)) * 8))
            await refused(ShareOfAnotherEpoch, hand_in("holder-2", alien))
            await refused(ShareHeaderLies, hand_in("holder-2", forged(member_threshold=1)))
            await refused(ShareHeaderLies, hand_in("holder-2", forged(member_threshold=1, value=b"a" * 32)))
            said = await refused(ShareAltered, hand_in("holder-2", forged(value=os.urandom(32))))
            assert "holder-2" in said
            await refused(ShareAltered, hand_in("holder-2", forged(index=0)))
            await refused(ShareBoxUnreadable, attempt.hand_in("holder-2", b""))
            await refused(ShareBoxUnreadable, attempt.hand_in("holder-2", os.urandom(300)))
            await refused(ShareBoxUnreadable, attempt.hand_in("holder-2", os.urandom(5_000)))
            await refused(ShareBoxUnreadable, attempt.hand_in("holder-2", os.urandom(3_000_000)))
            await refused(UnknownHolder, attempt.hand_in("holder-2" * 300_000, b""))
            under_another_name = box_of(mine, attempt.attempt, attempt.key, "holder-3")
            await refused(ShareBoxUnreadable, attempt.hand_in("holder-2", under_another_name))
            of_another_attempt = box_of(mine, os.urandom(16), attempt.key, "holder-2")
            await refused(ShareBoxUnreadable, attempt.hand_in("holder-2", of_another_attempt))
            assert attempt.accepted == ("holder-1",)
            with SecretPage() as page:
                said = await refused(TooFewHolders, attempt.take_pin(page))
            assert said.startswith("1 of the 3 holders that are needed have handed in their shares.")
            await hand_in("holder-2", mine)
            await hand_in("holder-4", holders.words("holder-4"))
            assert attempt.is_complete

    asyncio.run(scenario())


def test_an_expired_attempt_refuses_by_name(holders: Holders) -> None:
    async def scenario() -> None:
        async with attempt_at(holders.record, lifetime=0) as (attempt, hand_in):
            assert not attempt.is_open
            await refused(AttemptExpired, hand_in("holder-1", holders.words("holder-1")))
            assert attempt.accepted == ()

    asyncio.run(scenario())


def test_a_dead_gathering_process_is_told_and_nothing_hangs(holders: Holders) -> None:
    async def scenario() -> None:
        async with attempt_at(holders.record) as (attempt, hand_in):
            await hand_in("holder-1", holders.words("holder-1"))
            os.kill(attempt._process.pid, signal.SIGKILL)
            await refused(AttemptLost, hand_in("holder-2", holders.words("holder-2")))

    asyncio.run(scenario())


def test_who_goes_away_in_the_middle_stalls_and_confuses_nobody(holders: Holders) -> None:
    async def scenario() -> None:
        async with attempt_at(holders.record) as (_, hand_in):
            leaver = asyncio.ensure_future(hand_in("holder-1", b"no share"))
            await asyncio.sleep(0)
            leaver.cancel()
            assert await hand_in("holder-2", holders.words("holder-2")) == ("holder-2",)
            with pytest.raises(asyncio.CancelledError):
                await leaver

    asyncio.run(scenario())


def test_many_at_once_are_taken_one_by_one(holders: Holders) -> None:
    async def scenario() -> None:
        async with attempt_at(holders.record) as (attempt, hand_in):
            garbage = [hand_in("holder-1", b"no share") for _ in range(20)]
            good = [hand_in(name, holders.words(name)) for name in ("holder-1", "holder-2", "holder-3")]
            answers = await asyncio.gather(*garbage, *good, return_exceptions=True)
            assert all(isinstance(answer, ShareMalformed) for answer in answers[:20])
            assert attempt.is_complete

    asyncio.run(scenario())


def test_an_altered_record_gives_no_pin(holders: Holders) -> None:
    altered = msgspec.structs.replace(holders.record, check="0" * 64)

    async def scenario() -> None:
        async with attempt_at(altered) as (attempt, hand_in):
            await hand_in("holder-1", holders.words("holder-1"))
            await hand_in("holder-2", holders.words("holder-2"))
            await refused(SecretFailsKeyCheck, hand_in("holder-3", holders.words("holder-3")))
            assert not attempt.is_complete

    asyncio.run(scenario())


def test_a_record_with_a_lowered_threshold_gives_no_pin(holders: Holders) -> None:
    altered = msgspec.structs.replace(holders.record, threshold=2)

    async def scenario() -> None:
        async with attempt_at(altered) as (attempt, hand_in):
            await hand_in("holder-1", holders.words("holder-1"))
            await refused(ShareHeaderLies, hand_in("holder-2", holders.words("holder-2")))
            assert not attempt.is_complete

    asyncio.run(scenario())
