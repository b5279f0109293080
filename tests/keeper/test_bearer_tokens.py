"""A token goes to the job that asked and to nobody else; the log has its hash and its claims, and is public."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import jwt as pyjwt
import keeping
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hsmpub.client.session import CiSession
from hsmpub.keeper.answering import SessionWithoutKey
from hsmpub.model import entry as e
from hsmpub.model import submission as s
from hsmpub.model.digest import sha256_hex
from hsmpub.model.said import TokenSaid
from hsmpub.model.statement import load_statement
from hsmpub.policy.grants import NoRelease
from hsmpub.secret.box import BoxNotOpened
from hsmpub.wire import messages as m
from tests.service.jobs import Job, release, store

from hsmpub.formats.sha256state import Sha256State  # isort: skip

PROJECT = """
[project.app]
requesters = [{{ issuer = "ci", repository = "example/app" }}]
sign = [{{ key = "tokens", formats = ["jwt"] }}]
approvals = []
[project.app.jwt]
issuer = "12345"
subject = "repo:example/*"
audience = []
valid = "10m"
early = "1m"
"""
KEY = Ed25519PrivateKey.from_private_bytes(b"t" * 32)
CLAIMS = b'{"sub": "repo:example/app"}'


def ask(claims: bytes = CLAIMS, project: str = "app") -> s.AskSign:
    state = Sha256State.of(claims).to_state("claims.json")
    return s.AskSign(project, ("jwt",), states=(msgspec.structs.replace(state, details={"jwt": claims}),))


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[keeping.Kept, Job], Awaitable[None]]], None]:
    """Runs a scenario with an unsealed keeper and a job that may have tokens."""
    monkeypatch.setitem(keeping.MORE_KEYS, "tokens", (KEY, "ed25519", ("jwt",)))
    monkeypatch.setattr(keeping, "POLICY", keeping.POLICY + PROJECT)

    def run_one(scenario: Callable[[keeping.Kept, Job], Awaitable[None]]) -> None:
        async def whole(kept: keeping.Kept) -> None:
            await kept.unseal()
            await scenario(kept, await kept.job(repository="example/app"))

        with keeping.kept(tmp_path, monkeypatch) as kept:
            asyncio.run(whole(kept))

    return run_one


def opened(job: Job, reply: m.SignReply) -> bytes:
    return CiSession(job.session, job.key, 0, job.private).open_answer(
        reply.made[0].output, reply.request, "claims.json"
    )


def test_only_the_asking_job_can_read_the_token_and_the_log_tells_what_it_says(run, caplog, tmp_path) -> None:
    """The canary is the token's own signature: neither the answer as the front sees it, nor log, database, files or
    log lines hold it, in any spelling."""
    caplog.set_level(logging.DEBUG)

    async def scenario(kept: keeping.Kept, job: Job) -> None:
        reply = await job.ask(ask())
        assert isinstance(reply, m.SignReply)
        token = opened(job, reply)
        claims = pyjwt.decode(token, KEY.public_key(), ["EdDSA"])
        assert (claims["iss"], claims["sub"]) == ("12345", "repo:example/app")
        assert claims["exp"] - claims["iat"] == 600
        assert pyjwt.get_unverified_header(token) == {"alg": "EdDSA", "kid": "tokens", "typ": "JWT"}

        entry = kept.entries()[reply.entry]
        assert isinstance(entry, e.RoutineSigned)
        assert entry.outputs == (sha256_hex(token),)
        [said] = entry.said
        assert isinstance(said, TokenSaid)
        assert json.loads(said.claims) == claims
        profile = load_statement(entry.statement.encode()).predicate.jwt
        assert profile is not None
        assert profile.claims == {"iss": ("12345",), "sub": ("repo:example/*",)}

        signature = token.rpartition(b".")[2]
        raw = KEY.sign(token.rpartition(b".")[0])
        seen = [msgspec.json.encode(reply), msgspec.msgpack.encode(reply), repr(reply).encode(), caplog.text.encode()]
        seen += [e.dump_entry(entry) for entry in kept.entries()]
        seen += [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
        for text in seen:
            assert signature not in text
            assert raw not in text
            assert raw.hex().encode() not in text.lower()

    run(scenario)


def test_another_session_cannot_open_the_answer(run) -> None:
    async def scenario(kept: keeping.Kept, job: Job) -> None:
        reply = await job.ask(ask())
        assert isinstance(reply, m.SignReply)
        other = await kept.job(repository="example/app")
        with pytest.raises(BoxNotOpened):
            opened(other, reply)
        with pytest.raises(BoxNotOpened):
            opened(job, msgspec.structs.replace(reply, request="0" * 16))

    run(scenario)


def test_no_release_and_no_bearer_s_session_gets_a_token(run) -> None:
    """What a release makes is kept in the log; what a bearer asks for, whoever carries the answer can read."""

    async def scenario(kept: keeping.Kept, job: Job) -> None:
        with pytest.raises(NoRelease):
            await job.ask(release("1.0", store(kept.folder, "claims.json", CLAIMS), project="app"))
        session = kept.keeper.sessions._open[job.session]
        session.client_key = b""
        with pytest.raises(SessionWithoutKey):
            await job.ask(ask())

    run(scenario)


def test_a_bad_claim_fails_alone(run) -> None:
    async def scenario(kept: keeping.Kept, job: Job) -> None:
        other = ask(b'{"sub": "repo:other/app"}').states[0]
        both = s.AskSign("app", ("jwt",), states=(*ask().states, msgspec.structs.replace(other, name="other.json")))
        reply = await job.ask(both)
        assert isinstance(reply, m.SignReply)
        problems = {one.artifact: one.problem.rule if one.problem else "" for one in reply.made}
        assert problems == {"claims.json": "", "other.json": "claim-outside-pattern"}
        [good] = [one for one in reply.made if one.problem is None]
        assert opened(job, msgspec.structs.replace(reply, made=(good,))).count(b".") == 2

    run(scenario)
