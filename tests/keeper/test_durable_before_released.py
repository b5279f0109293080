"""I1: no signature, lease or session leaves before its entry is durable; a log that fails costs nothing but the try."""

from __future__ import annotations

import asyncio

import pytest
from keeping import Kept

from hsmpub.keeper.credentials import CredentialMissing
from hsmpub.model import entry as e
from hsmpub.tlog.rules import LogUnavailable
from hsmpub.wire import messages as m
from tests.service.jobs import NIGHTLY, Job, routine


async def until_held(kept: Kept) -> None:
    assert await asyncio.to_thread(kept.store.held.wait, 30)


def test_a_routine_signature_whose_entry_is_not_logged_is_not_answered_and_the_next_try_is(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        job = await kept.nightly()
        kept.store.refuse, before = "routine", kept.keeper.book.log.size
        with pytest.raises(LogUnavailable):
            await job.ask(routine("a.bin"))
        assert kept.signers.signed  # it was made, and never left
        assert kept.keeper.book.log.size == before
        kept.store.refuse = ""
        reply = await job.ask(routine("a.bin"))
        assert isinstance(reply, m.SignReply)
        assert reply.made[0].output
        assert isinstance(kept.entries()[reply.entry], e.RoutineSigned)

    asyncio.run(scenario())


def test_a_routine_signature_waits_for_the_disk(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        job = await kept.nightly()
        kept.store.hold = "routine"
        asked = asyncio.ensure_future(job.ask(routine("a.bin")))
        await until_held(kept)
        assert not (await asyncio.wait([asked], timeout=0.2))[0]
        kept.store.release()
        reply = await asked
        assert isinstance(reply, m.SignReply)
        assert reply.made[0].output

    asyncio.run(scenario())


def test_a_release_whose_signatures_are_not_logged_stays_unsigned_and_is_signed_when_there_is_room(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        view = await kept.release()
        kept.store.refuse = "signed"
        await kept.approve(view, "release-manager", "sdk-lead")
        await kept.settle()
        seen = await kept.see(view)
        assert seen.state == "approved"
        assert "full" in seen.why
        assert not kept.keeper.publishing.jobs().jobs
        assert "Signed" not in kept.kinds()
        kept.store.refuse = ""
        kept.keeper.executing.start_all()  # what the sweep does
        await kept.settle()
        assert (await kept.see(view)).state == "signed"
        assert kept.kinds().count("Signed") == 1
        assert kept.start_again().request(view.request).state == "signed"

    asyncio.run(scenario())


def test_a_release_shows_no_signature_and_no_job_before_the_disk_has_it(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        view = await kept.release()
        kept.store.hold = "signed"
        await kept.approve(view, "release-manager", "sdk-lead")
        await until_held(kept)
        assert (await kept.see(view)).state == "approved"
        assert not kept.keeper.book.request(view.request).signed
        assert not kept.keeper.publishing.jobs().jobs
        kept.store.release()
        await kept.settle()
        assert (await kept.see(view)).state == "signed"

    asyncio.run(scenario())


def test_a_signature_that_does_not_verify_is_neither_logged_nor_shown(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        kept.signers.wrong_key = True
        view = await kept.release()
        await kept.approve(view, "release-manager", "sdk-lead")
        await kept.settle()
        assert (await kept.see(view)).state == "approved"
        assert "Signed" not in kept.kinds()

    asyncio.run(scenario())


def test_no_credential_is_leased_before_the_intent_is_logged(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        view = await kept.release()
        await kept.approve(view, "release-manager", "sdk-lead")
        await kept.settle()
        begin = m.BeginAttempt(view.request, "index", "x.whl", b"k" * 32)
        with pytest.raises(CredentialMissing):
            await kept.keeper.courier(begin)
        await kept.seal_credential()
        kept.store.refuse = "publish-intent"
        with pytest.raises(LogUnavailable):
            await kept.keeper.courier(begin)
        assert kept.signers.leases == 0
        kept.store.refuse = ""
        lease = await kept.keeper.courier(begin)
        assert isinstance(lease, m.Lease)
        assert (lease.attempt, kept.signers.leases) == (1, 1)

    asyncio.run(scenario())


def test_a_session_that_is_not_logged_is_not_open_and_its_token_is_not_used_up(kept: Kept) -> None:
    async def scenario() -> None:
        kept.store.refuse = "session"
        with pytest.raises(LogUnavailable):
            await Job.open(kept, kept.issuer, **NIGHTLY)  # type: ignore[arg-type]
        assert not kept.keeper.book.state.used_tokens
        kept.store.refuse = ""
        await kept.nightly()
        assert kept.kinds().count("SessionOpened") == 1

    asyncio.run(scenario())


def test_an_approval_that_is_not_logged_does_not_count(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        view = await kept.release()
        kept.store.refuse = "approval"
        with pytest.raises(LogUnavailable):
            await kept.approve(view, "release-manager")
        assert (await kept.see(view)).missing == {"managers": 1, "sdk-leads": 1}
        kept.store.refuse = ""
        await kept.approve(view, "release-manager", "sdk-lead")
        await kept.settle()
        assert (await kept.see(view)).state == "signed"

    asyncio.run(scenario())
