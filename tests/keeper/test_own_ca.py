"""A CA in the keeper: what it issues and revokes stands in the log, and each list begins where the last one ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import keeping
import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from hsmpub.errors import HsmpubError
from hsmpub.formats.sha256state import Sha256State
from hsmpub.formats.x509.grant import NameNotAllowed
from hsmpub.model import entry as e
from hsmpub.model import submission as s
from hsmpub.model.said import CertificateSaid, CrlSaid
from hsmpub.model.statement import load_statement
from hsmpub.policy.grants import NoRelease
from hsmpub.wire import messages as m
from tests.keeper.own_ca import authority
from tests.service.jobs import Job, release, store

POLICY = """
[project.pki]
requesters = [{ issuer = "ci", repository = "example/pki" }]
sign = [{ key = "ca", formats = ["x509-certificate"] }]
approvals = []
[project.pki.certificate]
usage = "tls-server"
names = ["*.example.org"]
valid = "30d"
keys = ["ed25519"]
[project.revocations]
requesters = [{ issuer = "ci", repository = "example/pki" }]
sign = [{ key = "ca", formats = ["x509-crl"] }]
approvals = []
crl = { valid = "7d" }
[project.approved]
requesters = [{ issuer = "ci", repository = "example/code" }]
sign = [{ key = "code-ca", formats = ["x509-certificate"] }]
approvals = [{ group = "managers", count = 1 }]
[project.approved.certificate]
usage = "code-signing"
names = ["Example Ltd"]
valid = "1d"
keys = ["ed25519"]
"""
LEAF = Ed25519PrivateKey.from_private_bytes(b"c" * 32)


def request(common: str) -> bytes:
    builder = x509.CertificateSigningRequestBuilder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)]))
    return builder.sign(LEAF, None).public_bytes(Encoding.PEM)


def ask(project: str, form: str, *files: bytes) -> s.AskSign:
    states = [msgspec.structs.replace(Sha256State.of(data).to_state(f"x{i}"), details={form: data})
              for i, data in enumerate(files)]  # fmt: skip
    return s.AskSign(project, (form,), states=tuple(states))


async def issue(job: Job, *commons: str) -> tuple[m.SignReply, list[x509.Certificate]]:
    reply = await job.ask(ask("pki", "x509-certificate", *map(request, commons)))
    assert isinstance(reply, m.SignReply)
    return reply, [x509.load_pem_x509_certificate(one.output) for one in reply.made if one.problem is None]


async def revoke(job: Job, *lines: str) -> tuple[m.SignReply, x509.CertificateRevocationList | str]:
    reply = await job.ask(ask("revocations", "x509-crl", "".join(f"{line}\n" for line in lines).encode()))
    assert isinstance(reply, m.SignReply)
    [made] = reply.made
    return reply, made.problem.rule if made.problem else x509.load_pem_x509_crl(made.output)


def number(found: x509.CertificateRevocationList | str) -> int:
    assert isinstance(found, x509.CertificateRevocationList)
    assert found.is_signature_valid(keeping.RELEASE_KEY.public_key())
    return found.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def serials(found: x509.CertificateRevocationList | str) -> set[int]:
    assert isinstance(found, x509.CertificateRevocationList)
    return {one.serial_number for one in found}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def run_one(scenario: Callable[[keeping.Kept], Awaitable[None]]) -> None:
        async def whole(kept: keeping.Kept) -> None:
            await kept.unseal()
            await scenario(kept)

        keys = (authority("ca"), authority("code-ca"))
        with keeping.kept(tmp_path, monkeypatch, keys=keys, policy=POLICY) as kept:
            asyncio.run(whole(kept))

    return run_one


def test_what_is_issued_and_revoked_stands_in_the_log_and_survives_a_restart(run) -> None:
    async def scenario(kept: keeping.Kept) -> None:
        job = await kept.job(repository="example/pki")
        reply, [one, two] = await issue(job, "a.example.org", "b.example.org")
        entry = kept.entries()[reply.entry]
        assert isinstance(entry, e.RoutineSigned)
        assert [said.serial for said in entry.said if isinstance(said, CertificateSaid)] == [
            f"{one.serial_number:x}", f"{two.serial_number:x}",
        ]  # fmt: skip
        _, empty = await revoke(job)
        assert serials(empty) == set()
        reply, first = await revoke(job, f"{one.serial_number:x} keyCompromise")
        assert serials(first) == {one.serial_number}
        entry = kept.entries()[reply.entry]
        assert isinstance(entry, e.RoutineSigned)
        [said] = entry.said
        assert isinstance(said, CrlSaid)
        assert [gone.reason for gone in said.revoked] == ["keyCompromise"]
        _, second = await revoke(job, f"{two.serial_number:x} superseded")
        assert serials(second) == {one.serial_number, two.serial_number}
        assert number(empty) < number(first) < number(second)

        again = kept.start_again().state.authorities
        assert again.next_number("ca", 0) == number(second) + 1
        assert {int(gone.serial, 16) for gone in again.revoked("ca")} == serials(second)
        assert again.revoked("code-ca") == ()

    run(scenario)


def test_refuses_to_revoke_what_it_did_not_issue_or_twice(run) -> None:
    async def scenario(kept: keeping.Kept) -> None:
        job = await kept.job(repository="example/pki")
        _, [one] = await issue(job, "a.example.org")
        line = f"{one.serial_number:x} superseded"
        assert (await revoke(job, "abc superseded"))[1] == "not-issued-here"
        await revoke(job, line)
        assert (await revoke(job, line))[1] == "already-revoked"
        with pytest.raises(HsmpubError) as refused:
            await job.ask(ask("revocations", "x509-crl", b"", b"1 superseded\n"))
        assert refused.value.rule == "one-list-at-a-time"

    run(scenario)


def test_lists_that_are_asked_for_at_once_have_numbers_of_their_own(run) -> None:
    async def scenario(kept: keeping.Kept) -> None:
        job = await kept.job(repository="example/pki")
        _, made = await issue(job, *(f"h{i}.example.org" for i in range(5)))
        lists = await asyncio.gather(*(revoke(job, f"{one.serial_number:x} superseded") for one in made))
        numbers = [number(found) for _, found in lists]
        assert len(set(numbers)) == 5
        whole = max(lists, key=lambda one: number(one[1]))[1]
        assert serials(whole) == {one.serial_number for one in made}

    run(scenario)


def test_a_list_that_is_not_in_the_log_is_not_given_out_and_counts_for_nothing(run) -> None:
    async def scenario(kept: keeping.Kept) -> None:
        job = await kept.job(repository="example/pki")
        _, [one] = await issue(job, "a.example.org")
        kept.store.refuse = "routine"
        with pytest.raises(HsmpubError):
            await revoke(job, f"{one.serial_number:x} superseded")
        kept.store.refuse = ""
        assert kept.keeper.book.state.authorities.revoked("ca") == ()

    run(scenario)


def test_approvers_see_what_is_certified_and_only_that_is_made(run) -> None:
    async def scenario(kept: keeping.Kept) -> None:
        job = await kept.job(repository="example/code", ref="refs/heads/main")
        with pytest.raises(NameNotAllowed):
            await job.ask(release("1", store(kept.folder, "bad.csr", request("Another Ltd")), project="approved"))
        view = await job.ask(release("1", store(kept.folder, "x.csr", request("Example Ltd")), project="approved"))
        assert isinstance(view, m.RequestView)
        predicate = load_statement(view.statement).predicate
        [said] = predicate.certify
        assert said.startswith("CN=Example Ltd; no hosts; code-signing, 86400 seconds; ed25519 key, SHA-256 ")
        assert predicate.certificate is not None
        assert predicate.certificate.usage == "code-signing"
        await kept.approve(view, "release-manager")
        await kept.settle()
        [signed] = [entry for entry in kept.entries() if isinstance(entry, e.Signed)]
        [output] = signed.outputs
        made = x509.load_pem_x509_certificate(output.content)
        assert made.public_key() == LEAF.public_key()
        assert isinstance(output.said, CertificateSaid)
        assert kept.keeper.book.state.authorities.issued("code-ca").keys() == {f"{made.serial_number:x}"}
        assert kept.start_again().state.authorities.issued("code-ca").keys() == {f"{made.serial_number:x}"}

    run(scenario)


def test_a_list_is_no_release(run) -> None:
    async def scenario(kept: keeping.Kept) -> None:
        job = await kept.job(repository="example/pki")
        with pytest.raises(NoRelease):
            await job.ask(release("1", store(kept.folder, "x", b"1 superseded\n"), project="revocations"))

    run(scenario)


def test_a_list_whose_file_takes_long_to_read_holds_up_no_other(run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its sender decides how long that takes, and revocations cannot wait."""

    async def scenario(kept: keeping.Kept) -> None:
        job, reading, go = await kept.job(repository="example/pki"), asyncio.Event(), asyncio.Event()
        artifacts, file = kept.keeper.artifacts, store(kept.folder, "large", b"")
        check = artifacts.check

        async def slowly(*words):
            reading.set()
            await go.wait()
            return await check(*words)

        monkeypatch.setattr(artifacts, "check", slowly)
        asked = asyncio.ensure_future(job.ask(s.AskSign("revocations", ("x509-crl",), files=(file,))))
        await reading.wait()
        _, first = await asyncio.wait_for(revoke(job), 30)
        go.set()
        late = await asked
        assert isinstance(late, m.SignReply)
        assert number(x509.load_pem_x509_crl(late.made[0].output)) > number(first)

    run(scenario)
