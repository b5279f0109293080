"""TUF metadata through the keeper: versions only count upward, approvers see all of it, what is late is not signed."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import keeping
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from keeping import Kept

from hsmpub.errors import HsmpubError
from hsmpub.formats.sha256state import Sha256State
from hsmpub.formats.tuf.rules import TufExpiryRefused, TufRefused, TufWrongRole
from hsmpub.model import submission as s
from hsmpub.model.statement import load_statement
from hsmpub.model.tuf_versions import TufVersionNotNewer
from hsmpub.wire import messages as m
from tests.formats.tuf_samples import tuf_metadata
from tests.service.jobs import Job, release, store

POLICY = """
[project.online]
requesters = [{ issuer = "ci", repository = "example/tuf" }]
sign = [{ key = "online", formats = ["tuf-snapshot", "tuf-timestamp"] }]
approvals = []
tuf_longest = "7d"
[project.root]
requesters = [{ issuer = "ci", repository = "example/tuf" }]
sign = [{ key = "root", formats = ["tuf-root"] }]
approvals = [{ group = "managers", count = 1 }]
"""
KEYS = {
    "online": (Ed25519PrivateKey.from_private_bytes(b"o" * 32), "ed25519", ("tuf-snapshot", "tuf-timestamp")),
    "root": (Ed25519PrivateKey.from_private_bytes(b"r" * 32), "ed25519", ("tuf-root",)),
}


def metadata(role: str, version: int, days: float = 5) -> bytes:
    return tuf_metadata(role, version, (datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ"))


async def sign(job: Job, *payloads: bytes, role: str = "timestamp") -> list[m.MadeSignature]:
    form = f"tuf-{role}"
    states = tuple(
        msgspec.structs.replace(Sha256State.of(data).to_state(f"{number}.json"), details={form: data})
        for number, data in enumerate(payloads)
    )
    reply = await job.ask(s.AskSign("online", (form,), states=states))
    assert isinstance(reply, m.SignReply)
    return list(reply.made)


def ruled(made: list[m.MadeSignature]) -> list[str]:
    """The rule that refused each; empty: it was signed."""
    return [one.problem.rule if one.problem else "" for one in made]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, key in KEYS.items():
        monkeypatch.setitem(keeping.MORE_KEYS, name, key)

    def run(scenario: Any) -> None:
        with keeping.kept(tmp_path, monkeypatch, policy=POLICY) as kept:

            async def whole() -> None:
                await kept.unseal()
                await scenario(kept, await kept.job(repository="example/tuf", ref="refs/heads/main"))

            coroutine: Coroutine[Any, Any, None] = whole()
            asyncio.run(coroutine)

    return run


def test_versions_count_upward_and_the_log_remembers(run: Any) -> None:
    async def scenario(kept: Kept, job: Job) -> None:
        second = metadata("timestamp", 2)
        assert ruled(await sign(job, second)) == [""]
        assert ruled(await sign(job, second)) == [""]  # the very same again, as after a crash
        newer = "tuf-version-not-newer"
        assert ruled(await sign(job, metadata("timestamp", 1), metadata("timestamp", 2, days=4))) == [newer, newer]
        assert ruled(await sign(job, metadata("snapshot", 1), role="snapshot")) == [""]  # each role counts for itself
        both = metadata("timestamp", 3), metadata("timestamp", 3, days=4)
        assert sorted(ruled(await sign(job, *both))) == ["", newer]
        kept.keeper.book.log.close()
        found = kept.start_again().state.tuf
        facts = load_statement(kept.entries()[-1].statement.encode()).predicate.tuf[0]  # type: ignore[union-attr]
        assert (facts.version, facts.text) == (3, "")
        with pytest.raises(TufVersionNotNewer):
            found.check("online", msgspec.structs.replace(facts, version=2), "00" * 32)

    run(scenario)


def test_a_snapshot_that_names_older_targets_is_not_signed(run: Any) -> None:
    async def scenario(kept: Kept, job: Job) -> None:
        def naming(version: int, targets: int) -> bytes:
            return metadata("snapshot", version).replace(b'{"version":1}', b'{"version":%d}' % targets)

        assert ruled(await sign(job, naming(1, 4), role="snapshot")) == [""]
        assert ruled(await sign(job, naming(2, 3), role="snapshot")) == ["tuf-rolls-back"]
        assert ruled(await sign(job, naming(2, 4), role="snapshot")) == [""]

    run(scenario)


def test_what_is_not_metadata_of_the_role_or_expires_late_is_not_signed(run: Any) -> None:
    async def scenario(kept: Kept, job: Job) -> None:
        asked = (metadata("timestamp", 1, days=8), metadata("timestamp", 1, days=-1), metadata("snapshot", 1), b"{}")
        before = kept.signers.signed
        found = ruled(await sign(job, *asked))
        assert found == ["tuf-expiry-refused", "tuf-expiry-refused", "tuf-wrong-role", "tuf-wrong-role"]
        assert kept.signers.signed == before

    assert TufExpiryRefused.__mro__[1] is TufWrongRole.__mro__[1] is TufRefused
    run(scenario)


def test_approvers_see_all_of_it_and_another_root_of_the_version(run: Any) -> None:
    async def scenario(kept: Kept, job: Job) -> None:
        async def ask(version: str, data: bytes) -> m.RequestView:
            view = await job.ask(release(version, store(kept.folder, "1.root.signed.json", data), project="root"))
            assert isinstance(view, m.RequestView)
            return view

        first = await ask("1", metadata("root", 1))
        [facts] = load_statement(first.statement).predicate.tuf
        assert (facts.file, facts.role, facts.version) == ("1.root.signed.json", "root", 1)
        assert facts.text.count("1 of 1 keys") == 4
        await kept.approve(first, "release-manager")
        await kept.settle()
        assert (await kept.see(first)).state == "done"
        other = await ask("1a", metadata("root", 1, days=6))
        assert "SIGNED OTHER METADATA OF THIS VERSION" in load_statement(other.statement).predicate.tuf[0].text
        await kept.approve(other, "release-manager")
        await kept.settle()
        assert (await kept.see(other)).state == "done"
        for version, data in (("2", b"{}"), ("3", metadata("root", 1, days=800)), ("4", metadata("timestamp", 1))):
            with pytest.raises(HsmpubError):
                await ask(version, data)

    run(scenario)


def test_an_approval_that_comes_after_the_expiry_ends_the_request(run: Any) -> None:
    async def scenario(kept: Kept, job: Job) -> None:
        view = await job.ask(
            release("1", store(kept.folder, "1.root.signed.json", metadata("root", 1, days=1)), project="root")
        )
        assert isinstance(view, m.RequestView)
        kept.offset = 86_401
        await kept.approve(view, "release-manager")
        await kept.settle()
        ended = await kept.see(view)
        assert (ended.state, "would have expired" in ended.why) == ("expired", True)

    run(scenario)
