"""A policy that is adopted while files are read or signed: what only the old one allowed is not signed, and not given
away. Who sends the files decides how long that takes."""

from __future__ import annotations

import asyncio

import pytest
from keeping import Kept

from hsmpub.keeper.submitting import PolicyChanged
from hsmpub.model import submission as s
from hsmpub.policy.requesters import NotARequester
from tests.service.jobs import routine, store


class Watched:
    """Keys, as they are asked to sign. twice: that of routine signing was asked for the second time."""

    def __init__(self, kept: Kept) -> None:
        self.asked: list[str] = []
        self.twice = asyncio.Event()
        kept.signers.before = self._note

    async def _note(self, key: str) -> None:
        self.asked.append(key)
        if self.asked.count("routine") == 2:
            self.twice.set()


async def adopt_without_them(kept: Kept) -> None:
    """The emergency: these jobs are in the wrong hands."""
    text = kept.policy.replace("example/nightly", "example/others")
    view = await kept.ask_policy(text)
    await kept.approve(view, "release-manager", "security-officer")
    await kept.see_as(view, "done")


def test_what_is_being_read_when_the_policy_changes_is_not_signed(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        await kept.unseal()
        job, keys = await kept.nightly(), Watched(kept)
        artifacts = kept.keeper.artifacts
        check = artifacts.check

        async def slowly(*words):
            await adopt_without_them(kept)
            return await check(*words)

        monkeypatch.setattr(artifacts, "check", slowly)
        file = store(kept.folder, "large.bin", b"large")
        with pytest.raises(PolicyChanged):
            await job.ask(s.AskSign(project="nightly", formats=("sshsig",), files=(file,)))
        assert "routine" not in keys.asked
        with pytest.raises(NotARequester):
            await job.ask(routine())

    asyncio.run(scenario())
    assert "RoutineSigned" not in kept.kinds()


def test_a_release_that_would_be_signed_as_something_else_by_now_is_asked_for_anew(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        await kept.unseal()
        artifacts, before = kept.keeper.artifacts, kept.keeper.artifacts.check

        async def slowly(*words):
            monkeypatch.setattr(artifacts, "check", before)
            text = kept.policy.replace('"dsse"] }]', '"dsse"], files = ["*.whl"] }]', 1)
            view = await kept.ask_policy(
                text.replace("[{ key =", '[{ key = "release", formats = ["openpgp"] }, { key =', 1)
            )
            await kept.approve(view, "release-manager", "security-officer")
            await kept.see_as(view, "done")
            return await before(*words)

        monkeypatch.setattr(artifacts, "check", slowly)
        with pytest.raises(PolicyChanged):
            await kept.release()
        assert (await kept.release()).state == "pending"

    asyncio.run(scenario())


def test_what_is_being_signed_when_the_policy_changes_is_not_given_away(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        job = await kept.nightly()

        async def adopt(key: str) -> None:
            if key == "routine":
                kept.signers.before = None
                await adopt_without_them(kept)

        kept.signers.before = adopt
        with pytest.raises(PolicyChanged):
            await job.ask(routine())

    asyncio.run(scenario())
    assert "RoutineSigned" not in kept.kinds()


def test_what_is_logged_behind_a_new_policy_is_not_given_away(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        job, keys = await kept.nightly(), Watched(kept)
        await job.ask(routine())  # the decision is known from here on
        kept.store.hold = "policy"
        adopting = asyncio.ensure_future(adopt_without_them(kept))
        await asyncio.to_thread(kept.store.held.wait)
        asked = asyncio.ensure_future(job.ask(routine("b.bin")))
        await keys.twice.wait()
        kept.store.release()
        with pytest.raises(PolicyChanged):
            await asked
        await adopting

    asyncio.run(scenario())
