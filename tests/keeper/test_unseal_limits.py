"""What holders agreed to is what the service does: so long, so often, for these projects, and then it is sealed."""

from __future__ import annotations

import asyncio
import time

import pytest
from keeping import HOLDERS, Kept

from hsmpub.errors import HsmpubError, Sealed
from hsmpub.keeper import opening
from hsmpub.keeper.attempts import AttemptOver
from hsmpub.keeper.opening import ProjectNotUnsealed, TooFewSignaturesLeft, UnsealTimeOver
from hsmpub.keeper.sealing import TermsNameNoProject, UnsealTooLong
from hsmpub.model import entry as e
from hsmpub.model.terms import UNLIMITED, Terms, TermsMalformed
from hsmpub.wire import messages as m
from tests.service.jobs import RELEASE, routine


async def status(kept: Kept) -> m.StatusReply:
    reply = await kept.call(m.GetStatus())
    assert isinstance(reply, m.StatusReply)
    return reply


def sealed_by(kept: Kept) -> list[str]:
    return [entry.rule for entry in kept.entries() if isinstance(entry, e.SealedBy)]


def test_terms_are_logged_with_each_share_and_with_the_unsealing(kept: Kept) -> None:
    terms = Terms(3600, 10, ("nightly",))

    async def scenario() -> None:
        await kept.hand_in(HOLDERS[0], terms)
        [gathered] = (await status(kept)).gathering
        assert (gathered.terms, gathered.accepted) == (terms, (HOLDERS[0],))
        for holder in HOLDERS[1:]:
            await kept.hand_in(holder, terms)
        shares = [entry for entry in kept.entries() if isinstance(entry, e.ShareHandedIn)]
        assert [share.terms for share in shares] == [terms] * 3
        [unsealed] = [entry for entry in kept.entries() if isinstance(entry, e.UnsealedBy)]
        assert unsealed.terms == terms
        assert unsealed.holders == HOLDERS

    asyncio.run(scenario())


def test_one_holder_with_other_terms_stalls_nobody(kept: Kept) -> None:
    async def scenario() -> None:
        for count in range(1, 50):  # whoever merely asks takes up no room
            assert (await kept.attempt(Terms(signatures=count))).gathering == ()
        await kept.hand_in(HOLDERS[0], Terms(signatures=1))
        reply = await kept.attempt(Terms(3600))
        assert reply.accepted == ()
        assert [one.accepted for one in reply.gathering] == [(HOLDERS[0],)]
        await kept.hand_in(HOLDERS[1], Terms(3600))
        assert {one.accepted for one in (await kept.attempt()).gathering} == {(HOLDERS[0],), (HOLDERS[1],)}
        await kept.hand_in(HOLDERS[2], Terms(3600))
        assert not kept.keeper.unsealing.is_unsealed
        await kept.hand_in(HOLDERS[0], Terms(3600))  # agrees after all
        assert kept.keeper.unsealing.is_unsealed
        assert kept.keeper.book.state.opened.terms == Terms(3600)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("terms", "rule"),
    [
        (Terms(seconds=0), TermsMalformed),
        (Terms(projects=("nightly", "nightly")), TermsMalformed),
        (Terms(projects=("nothing-of-the-kind",)), TermsNameNoProject),
    ],
)
def test_refuses_terms_that_mean_nothing(terms: Terms, rule: type[HsmpubError], kept: Kept) -> None:
    async def scenario() -> None:
        with pytest.raises(rule):
            await kept.attempt(terms)
        attempt = await kept.attempt()
        with pytest.raises(rule):
            await kept.call(m.HandIn(attempt.attempt, HOLDERS[0], b"box", terms))
        assert "ShareHandedIn" not in kept.kinds()

    asyncio.run(scenario())


def test_signs_for_its_projects_only_releases_and_routine_alike(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal(Terms(projects=("hsmpub",)))
        job = await kept.nightly()
        with pytest.raises(ProjectNotUnsealed) as refusal:
            await job.ask(routine("a.bin"))
        assert "hsmpub only, not for 'nightly'" in refusal.value.detail
        assert "RoutineSigned" not in kept.kinds()
        view = await kept.release()
        await kept.approve(view, "release-manager", "sdk-lead")
        assert (await kept.see_as(view, "signed")).state == "signed"
        assert kept.keeper.publishing.jobs().jobs

    asyncio.run(scenario())


def test_decryption_belongs_to_no_project_and_waits_while_the_terms_name_some(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal(Terms(projects=("nightly",)))
        with pytest.raises(ProjectNotUnsealed):
            kept.keeper.unsealing.check_whole("decryption")
        await kept.keeper.unsealing.seal("other terms are needed", person="security-officer")
        await kept.unseal(Terms(signatures=1))
        kept.keeper.unsealing.check_whole("decryption")

    asyncio.run(scenario())


def test_an_approved_release_of_another_project_waits_and_is_signed_when_it_is_unsealed_for_it(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal(Terms(projects=("nightly",)))
        view = await kept.release()
        await kept.approve(view, "release-manager", "sdk-lead")
        await kept.settle()
        seen = await kept.see(view)
        assert seen.state == "approved"
        assert "for nightly only" in seen.why
        await kept.keeper.unsealing.seal("other terms are needed", person="security-officer")
        await kept.unseal()
        assert (await kept.see_as(view, "signed")).state == "signed"

    asyncio.run(scenario())


def test_every_signature_counts_batches_included_and_the_last_one_seals(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal(Terms(signatures=7))
        job = await kept.nightly()
        await job.ask(routine("a", "b", "c"))
        assert kept.keeper.unsealing.opening.left == 4
        with pytest.raises(TooFewSignaturesLeft) as refusal:
            await job.ask(routine("a", "b", "c", "d", "e"))
        assert "has 4 left" in refusal.value.detail
        view = await kept.release()  # one file in two formats
        await kept.approve(view, "release-manager", "sdk-lead")
        await kept.see_as(view, "signed")
        await asyncio.gather(*kept.keeper.executing.under_way)  # what was set aside is given back after the entry
        assert (await status(kept)).opening.signatures_left == 2
        assert (await status(kept)).counters["hsmpub_signatures_left"] == 2
        kept.store.refuse = "routine"
        with pytest.raises(HsmpubError):  # it does not leave, so it does not count
            await job.ask(routine("a"))
        kept.store.refuse = ""
        await kept.keeper.unsealing.look()
        assert kept.keeper.unsealing.is_unsealed
        await job.ask(routine("a", "b"))
        with pytest.raises(TooFewSignaturesLeft):
            await job.ask(routine("c"))
        await kept.keeper.unsealing.look()
        assert sealed_by(kept) == ["signatures-used-up"]
        with pytest.raises(Sealed):
            await job.ask(routine("c"))
        assert (await status(kept)).counters["hsmpub_sealed_signatures-used-up_total"] == 1
        signed = sum(len(entry.outputs) for entry in kept.entries() if isinstance(entry, e.RoutineSigned | e.Signed))
        assert signed == 7

    asyncio.run(scenario())


def test_concurrent_requests_never_get_more_than_the_terms_allow(kept: Kept) -> None:
    async def scenario() -> None:
        gate = asyncio.Event()

        async def wait(key: str) -> None:
            if key != "log":
                await gate.wait()

        await kept.unseal(Terms(signatures=5))
        jobs = [await kept.nightly() for _ in range(4)]
        kept.signers.before = wait
        asked = [asyncio.ensure_future(job.ask(routine("a", "b"))) for job in jobs]
        await asyncio.sleep(0)
        gate.set()
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert sum(isinstance(answer, m.SignReply) for answer in answers) == 2
        assert sum(isinstance(answer, TooFewSignaturesLeft) for answer in answers) == 2
        assert kept.keeper.unsealing.opening.left == 1

    asyncio.run(scenario())


def test_seals_when_its_time_is_over_and_signs_nothing_from_that_second_on(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal(Terms(600))
        job = await kept.nightly()
        kept.offset = 500
        await job.ask(routine("a"))
        await kept.keeper.unsealing.look()
        assert kept.keeper.unsealing.is_unsealed
        kept.offset = 601
        with pytest.raises(UnsealTimeOver):  # before anybody looked
            await job.ask(routine("b"))
        await kept.keeper.unsealing.look()
        assert sealed_by(kept) == ["time-over"]
        assert kept.signers.closed
        assert "time" in (await status(kept)).why

    asyncio.run(scenario())


def test_a_clock_that_is_set_back_prolongs_nothing(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        passed = 0.0
        real = time.monotonic
        monkeypatch.setattr(opening.Opening.__init__, "__defaults__", (lambda: real() + passed,))
        await kept.unseal(Terms(600))
        kept.offset, passed = -3600, 601.0
        await kept.keeper.unsealing.look()
        assert sealed_by(kept) == ["time-over"]

    asyncio.run(scenario())


def test_what_has_left_is_under_a_checkpoint_when_it_seals_by_itself(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal(Terms(signatures=1))
        job = await kept.nightly()
        await job.ask(routine("a"))
        await kept.keeper.unsealing.look()
        assert kept.keeper.book.log.checkpoints.size == kept.keeper.book.log.size  # the sealing itself included

    asyncio.run(scenario())


def test_a_disk_that_is_full_does_not_keep_it_open(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal(Terms(600))
        kept.offset = 601
        kept.store.refuse = "*"
        with pytest.raises(HsmpubError):
            await kept.keeper.unsealing.look()
        assert not kept.keeper.unsealing.is_unsealed
        assert kept.signers.closed

    asyncio.run(scenario())


async def with_sealing(kept: Kept, text: str) -> None:
    """Adopts the policy with these rules, as people do."""
    view = await kept.ask_policy(f"{kept.policy}\n[sealing]\n{text}\n")
    await kept.approve(view, "release-manager", "security-officer")
    await kept.settle()
    assert (await kept.see(view)).state == "done"


def test_the_policy_limits_how_long_and_who_asks_for_longer_hears_it(kept: Kept) -> None:
    async def scenario() -> None:
        before = await kept.attempt()
        await with_sealing(kept, 'longest = "2h"')
        with pytest.raises(UnsealTooLong):
            await kept.attempt(Terms(7201))
        assert (await kept.attempt()).terms == Terms(7200)
        with pytest.raises(AttemptOver):  # asked for before the policy
            await kept.call(m.HandIn(before.attempt, HOLDERS[0], b"box", UNLIMITED))
        await kept.unseal()
        kept.offset = 7201
        await kept.keeper.unsealing.look()
        assert sealed_by(kept) == ["time-over"]

    asyncio.run(scenario())


def test_a_policy_adopted_meanwhile_shortens_what_is_open(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        await with_sealing(kept, 'longest = "1h"')
        kept.offset = 3601
        await kept.keeper.unsealing.look()
        assert sealed_by(kept) == ["time-over"]

    asyncio.run(scenario())


def test_seals_when_nothing_is_signed_for_as_long_as_the_policy_says(kept: Kept) -> None:
    async def scenario() -> None:
        await with_sealing(kept, 'idle = "30m"')
        await kept.unseal()
        job = await kept.nightly()
        kept.offset = 1500
        await job.ask(routine("a"))
        kept.offset = 3000
        await kept.keeper.unsealing.look()
        assert kept.keeper.unsealing.is_unsealed
        assert (await status(kept)).counters["hsmpub_idle_seconds_left"] <= 300
        kept.offset = 3302
        await kept.keeper.unsealing.look()
        assert sealed_by(kept) == ["idle"]

    asyncio.run(scenario())


def test_a_restart_knows_what_has_left_from_the_log(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal(Terms(signatures=9))
        job = await kept.job(**{**RELEASE, "repository": "example/nightly"})
        await job.ask(routine("a", "b"))

    asyncio.run(scenario())
    assert kept.start_again().state.opened.signatures == 2
