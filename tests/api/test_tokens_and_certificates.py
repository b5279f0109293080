"""`hsmpub jwt` and `hsmpub certificate`, with a real keeper behind a real front, as a CI job runs them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import jwt as pyjwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from real_keeper import Place, pins, real, served_log

from hsmpub.cli import options
from hsmpub.model.trust import dump_trust
from tests.cli.command import Command
from tests.keeper import keeping
from tests.keeper.own_ca import authority
from tests.service.jobs import AUDIENCE

PROJECTS = """
[project.app]
requesters = [{ issuer = "ci", repository = "example/app" }]
sign = [{ key = "tokens", formats = ["jwt"] }]
approvals = []
[project.app.jwt]
issuer = "12345"
subject = "repo:example/*"
audience = []
valid = "10m"
claims = { scope = "read:*" }
[project.pki]
requesters = [{ issuer = "ci", repository = "example/app" }]
sign = [{ key = "ca", formats = ["x509-certificate"] }]
approvals = []
[project.pki.certificate]
usage = "tls-server"
names = ["*.example.org"]
valid = "30d"
keys = ["ed25519"]
[project.revocations]
requesters = [{ issuer = "ci", repository = "example/app" }]
sign = [{ key = "ca", formats = ["x509-crl"] }]
approvals = []
crl = { valid = "7d" }
"""
TOKENS = Ed25519PrivateKey.from_private_bytes(b"t" * 32)
LEAF = Ed25519PrivateKey.from_private_bytes(b"c" * 32)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with pytest.MonkeyPatch.context() as patch:
        begin = keeping.Kept._beginning
        patch.setattr(keeping.Kept, "_beginning", lambda kept, who: begin(_with_ca(kept), who))
        folder, keys = tmp_path_factory.mktemp("keeper"), {"tokens": (TOKENS, "ed25519", ("jwt",))}
        with real(folder, keys, PROJECTS) as made, served_log(made):
            yield made


def _with_ca(kept: keeping.Kept) -> keeping.Kept:
    kept.more_keys = (authority("ca"),)
    return kept


@pytest.fixture
def job(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    class Tokens:
        def token(self, audience: str) -> str:
            return place[1].issuer.token(audience, repository="example/app", ref="refs/heads/main")

    monkeypatch.setattr(options, "token_source", lambda *_: Tokens())
    (tmp_path / "trust.json").write_bytes(dump_trust(pins(place[1])))
    settings = {"HSMPUB_URL": place[0].url, "HSMPUB_TRUST": str(tmp_path / "trust.json"), "HSMPUB_AUDIENCE": AUDIENCE}
    return Command(monkeypatch, capsys, settings)


def test_jwt_prints_the_token_and_nothing_else(job: Command, tmp_path: Path, place: Place) -> None:
    (tmp_path / "claims.json").write_text('{"sub": "repo:example/app"}')
    receipt = tmp_path / "token.receipt.json"
    said = job("jwt", tmp_path / "claims.json", "--project", "app", "--claim", "scope=read:all", "--receipt", receipt)
    assert (said.status, said.err) == (0, "")
    token = said.out.removesuffix("\n")
    claims = pyjwt.decode(token, TOKENS.public_key(), ["EdDSA"])
    assert (claims["iss"], claims["sub"], claims["scope"]) == ("12345", "repo:example/app", "read:all")
    assert token.rpartition(".")[2] not in receipt.read_text()
    assert job("verify", receipt).status == 0
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and token.rpartition(".")[2] in path.read_text()]
    assert kept == []
    front = b"".join(path.read_bytes() for path in place[0].home.root.rglob("*") if path.is_file())
    assert token.rpartition(".")[2].encode() not in front


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--claim", "scope=write"), "scope"),
        (("--claim", "sub=a", "--claim", "sub=b"), "twice"),
        (("--claim", "sub"), "no '='"),
    ],
)
def test_jwt_says_what_is_wrong_and_prints_no_token(job: Command, words: tuple[str, ...], why: str) -> None:
    sub = () if why != "scope" else ("--claim", "sub=repo:example/app")
    said = job("jwt", "--project", "app", *sub, *words)
    assert (said.status, said.out) == (1, "")
    assert why in said.err


def test_no_token_is_written_beside_a_file(job: Command, tmp_path: Path) -> None:
    (tmp_path / "claims.json").write_text('{"sub": "repo:example/app"}')
    said = job("sign", tmp_path / "claims.json", "--project", "app", "--format", "jwt")
    assert said.status == 1
    assert "hsmpub jwt" in said.err
    assert not list(tmp_path.glob("*.jwt"))


def test_why_no_certificate_was_made_is_said_where_it_was_the_only_one(job: Command, tmp_path: Path) -> None:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a.example.com")])
    request = x509.CertificateSigningRequestBuilder(name).sign(LEAF, None)
    (tmp_path / "a.csr").write_bytes(request.public_bytes(Encoding.PEM))
    said = job("certificate", "issue", tmp_path / "a.csr", "--project", "pki")
    assert (said.status, said.out) == (1, "")
    assert "a.example.com" in said.err.replace("a.csr", "")
    assert "above" not in said.err


def test_a_reason_that_there_is_not_is_named_with_those_that_there_are(job: Command) -> None:
    said = job("certificate", "revoke", "8F3A61", "--reason", "lost", "--project", "revocations")
    assert said.status == 1
    assert "'lost' is no reason." in said.err
    assert "keyCompromise" in said.err


def test_a_certificate_is_issued_and_revoked_and_openssl_agrees(job: Command, tmp_path: Path) -> None:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a.example.org")])
    request = x509.CertificateSigningRequestBuilder(name).sign(LEAF, None)
    (tmp_path / "a.csr").write_bytes(request.public_bytes(Encoding.PEM))
    assert job("certificate", "issue", tmp_path / "a.csr", "--project", "pki").status == 0
    certificate = tmp_path / "a.csr.crt"
    assert job("verify", tmp_path / "a.csr.receipt.json", tmp_path / "a.csr", certificate).status == 0
    (tmp_path / "ca.pem").write_text(job("key", "show", "ca", "--form", "chain").out)
    fresh, later = tmp_path / "first.crl", tmp_path / "ca.crl"
    assert job("certificate", "crl", "--project", "revocations", "--output", fresh).status == 0
    serial = f"{x509.load_pem_x509_certificate(certificate.read_bytes()).serial_number:032X}"
    words = ("certificate", "revoke", serial, "--reason", "keyCompromise", "--project", "revocations")
    assert job(*words, "--output", later).status == 0
    assert job("verify", tmp_path / "ca.crl.receipt.json", later).status == 0

    def verify(revoked: Path) -> bytes:
        return subprocess.run(
            ["openssl", "verify", "-crl_check", "-CAfile", "ca.pem", "-CRLfile", revoked.name, certificate.name],
            cwd=tmp_path, capture_output=True,
        ).stderr  # fmt: skip

    assert verify(fresh) == b""
    assert b"certificate revoked" in verify(later)
    again = job(*words, "--output", later)
    assert again.status == 1
    assert "revoked already" in again.err
