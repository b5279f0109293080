"""The keeper writes no fact that it could not start from again: whatever happens at the same moment, and whichever
way two changes cross, the log folds to the state that is held."""

from __future__ import annotations

import asyncio
import secrets

import pytest
from keeping import PEOPLE, Kept, roster

from hsmpub.keeper.tokens import TokenReplayed
from hsmpub.model.personal import AskRoster
from hsmpub.policy.refusals import PolicyRefused
from tests.service.jobs import NIGHTLY

MORE = """
[project.more]
requesters = [{ issuer = "ci", repository = "example/more" }]
sign = [{ key = "release", formats = ["sshsig"] }]
approvals = [{ group = "auditors", count = 1 }]
"""


def with_auditors() -> str:
    return roster().replace('groups = ["sdk-leads"]', 'groups = ["sdk-leads", "auditors"]', 1)


def test_a_refusal_at_the_moment_of_a_policys_adoption_is_no_contradiction(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        view = await kept.release()
        policy = await kept.ask_policy(kept.policy + "\n# stricter\n")
        await kept.approve(policy, "release-manager")
        kept.store.hold = "approval"
        approving = asyncio.ensure_future(kept.approve(policy, "security-officer"))
        assert await asyncio.to_thread(kept.store.held.wait, 30)
        declining = asyncio.ensure_future(kept.decline(view, "sdk-lead"))
        await asyncio.sleep(0.1)  # its turn comes before the adoption's
        kept.store.release()
        await asyncio.gather(declining, approving)
        await kept.settle()
        assert (await kept.see(view)).state == "declined"
        assert (await kept.see(policy)).state == "done"
        assert kept.start_again().request(view.request).state == "declined"

    asyncio.run(scenario())


def test_a_request_made_at_the_moment_of_a_policys_adoption_is_void(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        policy = await kept.ask_policy(kept.policy + "\n# stricter\n")
        await kept.approve(policy, "release-manager")
        kept.store.hold = "approval"
        approving = asyncio.ensure_future(kept.approve(policy, "security-officer"))
        assert await asyncio.to_thread(kept.store.held.wait, 30)
        asking = asyncio.ensure_future(kept.ask(AskRoster("sdk-lead", secrets.token_hex(16), kept.now(), roster())))
        await asyncio.sleep(0.1)
        kept.store.release()
        view, _ = await asyncio.gather(asking, approving)
        await kept.settle()
        assert (await kept.see(policy)).state == "done"
        seen = await kept.see(view)
        assert seen.state == "expired"
        kept.start_again()

    asyncio.run(scenario())


def test_a_policy_whose_group_went_away_before_its_adoption_is_not_adopted(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        await kept.adopt_roster(with_auditors())
        policy = await kept.ask_policy(kept.policy + MORE)
        await kept.approve(policy, "release-manager")
        await kept.adopt_roster(roster())  # nothing in force needs auditors
        await kept.approve(policy, "security-officer")
        await kept.settle()
        seen = await kept.see(policy)
        assert seen.state == "approved"
        assert "auditors" in seen.why
        assert kept.start_again().policy.projects.keys() == kept.keeper.book.policy.projects.keys()

    asyncio.run(scenario())


def test_refuses_a_roster_that_leaves_a_group_of_the_policy_empty_of_meaning(kept: Kept) -> None:
    async def scenario() -> None:
        text = roster(without=[name for name in PEOPLE if name.endswith("lead")])
        with pytest.raises(PolicyRefused):
            await kept.ask(AskRoster("release-manager", secrets.token_hex(16), kept.now(), text))
        kept.start_again()

    asyncio.run(scenario())


def test_the_sweep_outlives_a_full_disk(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """Expiry fails once; what became ready afterwards is carried out all the same."""
    monkeypatch.setattr("hsmpub.keeper.assembled.SWEEP_SECONDS", 0.01)

    async def scenario() -> None:
        await kept.unseal()
        old = await kept.release()
        kept.offset = 72 * 3600 + 1
        kept.store.refuse = "*"
        sweep = asyncio.ensure_future(kept.keeper.sweep())
        await asyncio.wait([sweep], timeout=0.2)
        assert not sweep.done()
        kept.store.refuse = ""
        await kept.see_as(old, "expired")
        sweep.cancel()

    asyncio.run(scenario())


def test_a_token_id_that_an_issuer_gives_out_again_after_its_time_does_not_keep_the_keeper_from_starting(
    kept: Kept,
) -> None:
    async def scenario() -> None:
        await kept.job(**NIGHTLY, jti="1")
        with pytest.raises(TokenReplayed):
            await kept.job(**NIGHTLY, jti="1")
        kept.offset = 3600
        later = {"iat": kept.now(), "nbf": kept.now(), "exp": kept.now() + 600}
        await kept.job(**NIGHTLY, jti="1", **later)  # type: ignore[arg-type]
        assert len(kept.start_again().state.session_entries) == 2

    asyncio.run(scenario())
