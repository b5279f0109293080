"""A release with more files than its index takes: only those go there, and with them it is published."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from keeping import Kept
from keeping import kept as keep
from rich.console import Console

from hsmpub.cli.statement_view import show_statement
from hsmpub.keeper.publishing import NothingToPublish
from hsmpub.keeper.submitting import PolicyChanged
from hsmpub.model.statement import load_statement
from hsmpub.policy.by_file import TargetWithoutFiles
from hsmpub.receipt import verify_receipt
from hsmpub.wire import messages as m
from tests.keeper.keeping import LOG_KEY
from tests.keeper.told import receipt_of
from tests.service.jobs import RELEASE, release, store

POLICY = """
[target.wheels]
kind = "pypi"
url = "http://127.0.0.1:1/wheels/"
index = "http://127.0.0.1:1/wheels/simple/"
credential = "wheels"
loopback = true
files = ["*.whl"]
[project.app]
requesters = [{ issuer = "ci", repository = "example/app", ref = "refs/heads/release/*" }]
sign = [{ key = "release", formats = ["sshsig"] }]
publish = ["wheels"]
approvals = [{ group = "managers", count = 1 }]
"""


@pytest.fixture
def keeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    with keep(tmp_path, monkeypatch, policy=POLICY) as made:
        yield made


async def asked(keeper: Kept, *names: str, version: str = "1.0") -> m.RequestView:
    job = await keeper.job(**{**RELEASE, "repository": "example/app"})
    stored = [store(keeper.folder, name, name.encode()) for name in names]
    view = await job.ask(release(version, *stored, project="app"))
    assert isinstance(view, m.RequestView)
    return view


async def jobs(keeper: Kept) -> tuple[m.Job, ...]:
    reply = await keeper.keeper.courier(m.GetJobs())
    assert isinstance(reply, m.JobsReply)
    return reply.jobs


def test_only_files_of_its_names_go_to_a_target_and_then_the_release_is_published(keeper: Kept) -> None:
    async def scenario() -> None:
        await keeper.unseal()
        view = await asked(keeper, "app.whl", "app.deb")
        await keeper.approve(view, "release-manager")
        await keeper.settle()
        [job] = await jobs(keeper)
        assert [(item.name, item.size) for item in job.items] == [("app.whl", 7)]
        with pytest.raises(NothingToPublish):
            await keeper.keeper.courier(m.BeginAttempt(view.request, "wheels", "app.deb", b"k" * 32))
        await keeper.seal_credential("wheels")
        await keeper.keeper.courier(m.BeginAttempt(view.request, "wheels", "app.whl", b"k" * 32))
        done = m.RecordOutcome(view.request, "wheels", "app.whl", 1, "accepted", job.items[0].sha256)
        await keeper.keeper.courier(done)
        assert (await keeper.see(view)).state == "published"
        assert await jobs(keeper) == ()

    asyncio.run(scenario())
    report = verify_receipt(receipt_of(keeper.folder, keeper.entries()), str(LOG_KEY))
    assert [(one.target, one.item, one.result) for one in report.published] == [("wheels", "app.whl", "accepted")]
    assert [request.state for request in keeper.start_again().state.requests.values()] == ["published", "done"]


def shown(data: bytes) -> list[str]:
    text = io.StringIO()
    show_statement(Console(file=text, width=200, highlight=False, markup=False), load_statement(data), data)
    lines = [" ".join(line.split()) for line in text.getvalue().splitlines()]
    return [line for line in lines if line.startswith(("goes to", "publish to", "signed as"))]


def test_approvers_see_of_each_file_where_it_goes_and_a_release_that_goes_whole_is_as_before(keeper: Kept) -> None:
    async def scenario() -> None:
        await keeper.unseal()
        mixed = await asked(keeper, "app.whl", "app.deb")
        assert shown(mixed.statement) == ["goes to every target that takes files", "goes to no target",
                                          "publish to wheels"]  # fmt: skip
        assert b'"annotations":{"publish":[]}' in mixed.statement
        whole = await asked(keeper, "app.whl", version="2.0")
        assert shown(whole.statement) == ["publish to wheels"]
        assert b"annotations" not in whole.statement

    asyncio.run(scenario())


def test_a_target_that_no_file_is_for_stops_the_release(keeper: Kept) -> None:
    async def scenario() -> None:
        await keeper.unseal()
        size = keeper.keeper.book.log.size
        with pytest.raises(TargetWithoutFiles):
            await asked(keeper, "app.deb")
        assert keeper.keeper.book.log.size == size + 1  # the session alone

    asyncio.run(scenario())


def test_a_release_whose_files_would_go_elsewhere_by_now_is_asked_for_anew(
    keeper: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        await keeper.unseal()
        artifacts, before = keeper.keeper.artifacts, keeper.keeper.artifacts.check

        async def slowly(*words):
            monkeypatch.setattr(artifacts, "check", before)
            view = await keeper.ask_policy(keeper.policy.replace('files = ["*.whl"]\n', ""))
            await keeper.approve(view, "release-manager", "security-officer")
            await keeper.see_as(view, "done")
            return await before(*words)

        monkeypatch.setattr(artifacts, "check", slowly)
        with pytest.raises(PolicyChanged):
            await asked(keeper, "app.whl", "app.deb")
        assert b"annotations" not in (await asked(keeper, "app.whl", "app.deb")).statement

    asyncio.run(scenario())
