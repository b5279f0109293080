"""What one job, one person or a front gone bad cannot do to the keeper: end it, hold it up, or lock the others out."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest
from keeping import Kept, ssh_signature

from hsmpub.identity import CiIdentity
from hsmpub.identity.refusals import IssuerKeysMissing
from hsmpub.keeper import personal, sessions, submitting, views
from hsmpub.keeper.artifacts import ArtifactReplaced, Artifacts
from hsmpub.keeper.entering import TooManyPending
from hsmpub.keeper.issuers import IssuerNotInPolicy
from hsmpub.keeper.personal import PersonalRequestReplayed
from hsmpub.keeper.places import ManyFilesWait, Places
from hsmpub.keeper.sessions import RequestReplayed, Session, SessionUnknown
from hsmpub.model import submission as s
from hsmpub.model.personal import AskSeal
from hsmpub.model.statement import REQUEST_NAMESPACE
from hsmpub.model.submission import MalformedSubmission
from hsmpub.wire import messages as m
from tests.service.jobs import routine, store


def test_a_counter_far_behind_costs_nothing() -> None:
    """2^40 behind, looked at bit by bit, would be a number of 128 GiB: the end of the keeper."""
    session = Session("s", CiIdentity("ci", "job", {}), 0)
    session.check_counter(1 << 62)
    for behind in (1, 1 << 33, 1 << 40, 1 << 61):
        with pytest.raises(RequestReplayed):
            session.check_counter(behind)
    session.check_counter((1 << 62) - 1023)
    for late in ((1 << 62) - 1023, (1 << 62) - 1024):
        with pytest.raises(RequestReplayed):
            session.check_counter(late)


def sealing(kept: Kept, nonce: str = "", reason: str = "drill") -> m.SubmitPersonal:
    body = AskSeal("release-manager", nonce or secrets.token_hex(16), kept.now(), reason)
    data = s.dump_submission(body)
    return m.SubmitPersonal(data, ssh_signature("release-manager", data, REQUEST_NAMESPACE))


def test_who_saw_an_order_to_seal_cannot_seal_with_it_again(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        order = sealing(kept)
        await kept.call(order)
        await kept.unseal()
        size = kept.keeper.book.log.size
        with pytest.raises(PersonalRequestReplayed):
            await kept.call(order)
        assert kept.keeper.unsealing.is_unsealed
        assert kept.keeper.book.log.size == size
        nonces = kept.keeper.book.state.used_nonces
        assert kept.start_again().state.used_nonces == nonces  # nor after a restart

    asyncio.run(scenario())


def test_an_order_to_seal_that_the_log_could_not_hold_is_refused(kept: Kept) -> None:
    async def scenario() -> None:
        await kept.unseal()
        for order in (sealing(kept, reason="x" * 501), sealing(kept, nonce="n" * 65), sealing(kept, nonce="a b")):
            with pytest.raises(MalformedSubmission):
                await kept.call(order)
        assert kept.keeper.unsealing.is_unsealed

    asyncio.run(scenario())


def test_one_project_cannot_bury_the_approvers_in_requests(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submitting, "MAX_PENDING_OF_A_PROJECT", 3)

    async def scenario() -> None:
        views_ = [await kept.release(f"1.{n}") for n in range(3)]
        with pytest.raises(TooManyPending):
            await kept.release("1.3")
        assert (await kept.release("1.2")).request == views_[2].request  # what stands is found all the same
        await kept.decline(views_[0], "sdk-lead")
        await kept.release("1.3")

    asyncio.run(scenario())


def test_one_person_cannot_either(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(personal, "MAX_PENDING_OF_A_PERSON", 2)

    async def scenario() -> None:
        await kept.ask_policy(kept.policy + "# 1")
        await kept.ask_policy(kept.policy + "# 2")
        with pytest.raises(TooManyPending):
            await kept.ask_policy(kept.policy + "# 3")

    asyncio.run(scenario())


def test_the_list_of_requests_fits_one_frame(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "MAX_LIST_BYTES", 3000)

    async def scenario() -> None:
        for n in range(8):
            await kept.release(f"1.{n}")
        reply = await kept.call(m.ListRequests())
        assert isinstance(reply, m.RequestList)
        assert 1 < len(reply.requests) < 8
        assert reply.requests[0].version == "1.7"

    asyncio.run(scenario())


def test_who_opens_session_after_session_ends_their_own_only(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MAX_SESSIONS", 4)

    async def scenario() -> None:
        await kept.unseal()
        honest = await kept.job(repository="example/nightly", ref="refs/heads/main", sub="honest")
        greedy = [await kept.job(repository="example/nightly", sub="greedy") for _ in range(9)]
        await honest.ask(routine("a.bin"))
        await greedy[-1].ask(routine("a.bin"))
        with pytest.raises(SessionUnknown):
            await greedy[0].ask(routine("a.bin"))

    asyncio.run(scenario())


def pipe(path: Path) -> None:
    os.mkfifo(path)


def link(path: Path) -> None:
    secret = path.parent / "secret"
    secret.write_bytes(b"content")
    path.symlink_to(secret)


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(65 << 30)


def folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("put", [pipe, link, endless, huge, folder])
def test_what_is_no_file_in_the_store_does_not_hold_the_keeper_up(put: Callable[[Path], None], tmp_path: Path) -> None:
    """A pipe without a writer, opened as a file, would keep its thread for ever, and two of them every release."""
    digest = "ab" * 32
    (tmp_path / "ab").mkdir()
    put(tmp_path / "ab" / digest)
    artifacts = Artifacts(tmp_path, tmp_path)
    with pytest.raises(ArtifactReplaced):
        asyncio.run(asyncio.wait_for(artifacts.hashed(digest, "x"), 10))


def test_a_file_that_grows_while_it_is_read_is_not_read_for_ever(tmp_path: Path) -> None:
    digest = "ab" * 32
    (tmp_path / "ab").mkdir()
    path = tmp_path / "ab" / digest
    path.write_bytes(b"x" * (8 << 20))

    def grow() -> None:
        with path.open("ab") as file:
            for _ in range(64):
                file.write(b"x" * (1 << 20))
                file.flush()

    async def scenario() -> None:
        growing = asyncio.ensure_future(asyncio.to_thread(grow))
        with pytest.raises(ArtifactReplaced):
            await Artifacts(tmp_path, tmp_path).hashed(digest, "x")
        await growing

    asyncio.run(scenario())


def test_only_so_many_wait_for_their_files(kept: Kept) -> None:
    async def scenario() -> None:
        artifacts = Artifacts(kept.folder / "artifacts", kept.folder)
        artifacts._hashing = Places(0, "hashed")
        file = store(kept.folder, "x.whl", b"x")
        waiting = [asyncio.ensure_future(artifacts.hashed(file.sha256, "x")) for _ in range(64)]
        await asyncio.sleep(0)
        with pytest.raises(ManyFilesWait):
            await artifacts.hashed(file.sha256, "x")
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert artifacts._hashing.taken == 0

    asyncio.run(scenario())


def test_another_issuer_under_the_same_name_inherits_nothing(kept: Kept) -> None:
    """Neither the keys of the one before, nor those that are still on their way, nor its open sessions."""

    async def scenario() -> None:
        await kept.unseal()
        url, jwks = kept.issuer.url, kept.issuer.jwks_bytes()
        await kept.keeper.courier(m.OfferIssuerKeys("ci", url, jwks))
        job = await kept.nightly()
        await job.ask(routine("a.bin"))
        policy = await kept.ask_policy(kept.policy.replace(url, "https://ci.example.test"))
        await kept.approve(policy, "release-manager", "security-officer")
        await kept.settle()
        assert (await kept.see(policy)).state == "done"
        with pytest.raises(SessionUnknown):
            await job.ask(routine("b.bin"))
        with pytest.raises(IssuerNotInPolicy):
            await kept.keeper.courier(m.OfferIssuerKeys("ci", url, jwks))
        kept.issuer.url = "https://ci.example.test"  # as tokens would say it
        with pytest.raises(IssuerKeysMissing):
            await kept.nightly()
        await kept.keeper.courier(m.OfferIssuerKeys("ci", "https://ci.example.test", jwks))
        await (await kept.nightly()).ask(routine("b.bin"))

    asyncio.run(scenario())
