"""A key that was retired signs nothing, nobody is asked to approve what it would sign, and the way out stays open."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from keeping import Kept, roster

from hsmpub.keeper.book import KeyRetired
from hsmpub.keeper.status import NonceMalformed
from hsmpub.model import entry as e
from hsmpub.policy.refusals import SigningKeyRetired, UnknownSigningKey
from hsmpub.wire import messages as m
from tests.service.jobs import routine


async def change(kept: Kept, **facts: object) -> None:
    """As a ceremony logs it."""
    book = kept.keeper.book
    async with book.turn():
        entry = e.KeysChanged(book.now(), book.keys.digest, **facts)  # type: ignore[arg-type]
        await book.record(entry)


async def retire(kept: Kept, name: str) -> None:
    await change(kept, retired=(e.Retirement(name, "retired"),))


def test_a_retired_key_signs_no_routine_file(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        job = await kept.nightly()
        await job.ask(routine())
        await retire(kept, "routine")
        job = await kept.nightly()
        before = kept.signers.signed
        with pytest.raises(KeyRetired, match="'routine'"):
            await job.ask(routine())
        assert kept.signers.signed == before

    asyncio.run(scenario())


def test_no_release_is_submitted_for_a_retired_key(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        await retire(kept, "release")
        with pytest.raises(KeyRetired):
            await kept.release()

    asyncio.run(scenario())


def test_a_release_that_was_approved_when_its_key_was_retired_ends_and_its_version_is_free(kept: Kept) -> None:
    async def scenario() -> None:
        view = await kept.release()
        await kept.approve(view, "release-manager", "sdk-lead")
        await kept.settle()
        await retire(kept, "release")
        assert (await kept.see(view)).state == "approved"  # sealed: it waited for the HSM
        await kept.unseal()
        await kept.settle()
        seen = await kept.see(view)
        assert (seen.state, "retired" in seen.why) == ("expired", True)
        assert kept.start_again().request(view.request).state == "expired"

    asyncio.run(scenario())


def test_another_policy_can_be_adopted_and_names_the_successor(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        book = kept.keeper.book
        successor = msgspec.structs.replace(book.keys.active["release"], name="release-2027")
        gone = e.Retirement("release", "superseded", "release-2027")
        await change(kept, born=(successor,), retired=(gone,))
        with pytest.raises(SigningKeyRetired):
            await kept.ask_policy(kept.policy + "\n# still the old key\n")
        with pytest.raises(UnknownSigningKey):
            await kept.ask_policy(kept.policy.replace('key = "release"', 'key = "release-2028"'))
        view = await kept.ask_policy(kept.policy.replace('key = "release"', 'key = "release-2027"'))
        await kept.approve(view, "release-manager", "security-officer")
        await kept.settle()
        assert (await kept.see(view)).state == "done"
        release = await kept.release()
        await kept.approve(release, "release-manager", "sdk-lead")
        await kept.settle()
        assert (await kept.see(release)).state == "signed"

    asyncio.run(scenario())


def test_a_keeper_starts_with_a_policy_that_names_a_retired_key(kept: Kept) -> None:
    async def scenario() -> None:
        await retire(kept, "release")
        assert kept.start_again().policy.projects["hsmpub"].sign[0].key == "release"

    asyncio.run(scenario())


def test_a_roster_can_be_adopted_while_the_policy_names_a_retired_key(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        await retire(kept, "release")
        assert (await kept.adopt_roster(roster(revoked=["second-lead"]))).state == "done"

    asyncio.run(scenario())


def test_the_status_names_retired_keys_and_the_policy_that_still_has_them_sign(kept: Kept) -> None:
    async def scenario() -> None:
        await retire(kept, "release")
        status = await kept.call(m.GetStatus())
        assert isinstance(status, m.StatusReply)
        assert status.keys["release"] == "retired"
        assert any("the policy has release sign" in warning for warning in status.warnings)
        ready = await kept.call(m.GetReady())
        assert isinstance(ready, m.ReadyReply)
        assert "release" not in ready.keys

    asyncio.run(scenario())


def test_the_keeper_gives_its_word_on_the_keys_sealed_or_not(kept: Kept) -> None:
    async def scenario() -> None:
        await retire(kept, "release")
        nonce = b"n" * 32
        reply = await kept.call(m.GetKeys(nonce))
        assert isinstance(reply, m.KeysReply)
        book = kept.keeper.book
        assert (reply.digest, reply.entries) == (book.keys.digest, (book.log.size - 1,))
        identity = kept.keeper.status._identity.public_key()
        identity.verify(reply.signature, m.keys_to_sign(nonce, reply.digest))
        with pytest.raises(NonceMalformed):
            await kept.call(m.GetKeys(b"short"))

    asyncio.run(scenario())
