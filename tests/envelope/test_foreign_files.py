"""What age, gpg and openssl encrypted to the team opens for one person, with the very same tools."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hsmpub.envelope.cms_recipient import recipient_of_x509
from hsmpub.envelope.openpgp_keyring import recipient_of_certificate
from tests.envelope.team import Gpg, Team, run

CONTENT = b"backup of the day\n" * 40_000


@pytest.mark.parametrize("kind", ["x25519", "ssh-ed25519", "ssh-rsa"])
def test_age_opens_what_age_encrypted_to_the_team(team: Team, tmp_path: Path, kind: str) -> None:
    identity = tmp_path / "id"
    if kind == "x25519":
        run("age-keygen", "-o", identity)
        recipient = run("age-keygen", "-y", identity).decode().strip()
    else:
        run("ssh-keygen", "-q", "-t", kind.removeprefix("ssh-"), "-N", "", "-f", identity)
        recipient = " ".join((tmp_path / "id.pub").read_text().split()[:2])
    run("age-keygen", "-o", tmp_path / "other")
    other = run("age-keygen", "-y", tmp_path / "other").decode().strip()
    file = run("age", "-r", other, "-r", team.age, data=CONTENT)
    (tmp_path / "x.age").write_bytes(team.reseal(file, recipient))
    assert run("age", "-d", "-i", identity, tmp_path / "x.age") == CONTENT


@pytest.mark.parametrize(
    ("algorithm", "usage"), [("rsa3072", "encr"), ("cv25519", "encr"), ("nistp256", "encr"), ("nistp521", "encr")]
)
def test_gpg_opens_what_gpg_encrypted_to_the_team(
    team: Team, gpg: Gpg, tmp_path: Path, algorithm: str, usage: str
) -> None:
    certificate = gpg.make(algorithm, usage, f"{algorithm}-person")
    file = gpg("--encrypt", "-r", "Backups", data=CONTENT)
    text = recipient_of_certificate(certificate, now=1_900_000_000).text
    (tmp_path / "x.gpg").write_bytes(team.reseal(file, text))
    assert gpg("--decrypt", tmp_path / "x.gpg") == CONTENT


def certificate_of(folder: Path, *kind: str) -> tuple[Path, Path]:
    key, certificate = folder / "key.pem", folder / "person.crt"
    run("openssl", "req", "-x509", "-newkey", *(kind or ("rsa:2048",)), "-nodes", "-subj", "/CN=person", "-keyout", key,
        "-out", certificate)  # fmt: skip
    return key, certificate


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize(
    "how",
    [
        ("-aes-256-gcm",), ("-aes-128-cbc", "-keyid"), ("-aes-256-cbc", "-keyopt", "rsa_padding_mode:oaep"),
        ("-aes-256-cbc", "-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha256"),
    ],
)  # fmt: skip
def test_openssl_opens_what_openssl_encrypted_to_the_team(
    team: Team, tmp_path: Path, how: tuple[str, ...], streamed: bool
) -> None:
    key, certificate = certificate_of(tmp_path)
    (tmp_path / "team.crt").write_text(team.key.certificates)
    cipher = [word for word in how if word.startswith("-aes") or word == "-keyid"]
    options = [word for word in how if word not in cipher]
    stream = ["-stream"] if streamed else []
    file = run("openssl", "cms", "-encrypt", "-binary", *stream, "-outform", "DER", *cipher,
               "-recip", tmp_path / "team.crt", *options, data=CONTENT)  # fmt: skip
    (tmp_path / "x.cms").write_bytes(team.reseal(file, recipient_of_x509(certificate.read_bytes()).text))
    opened = run("openssl", "cms", "-decrypt", "-inform", "DER", "-in", tmp_path / "x.cms", "-inkey", key,
                 "-recip", certificate)  # fmt: skip
    assert opened == CONTENT
    run("openssl", "cms", "-cmsout", "-noout", "-print", "-inform", "DER", "-in", tmp_path / "x.cms")


@pytest.mark.parametrize("curve", ["P-256", "P-384", "P-521"])
@pytest.mark.parametrize("cipher", ["-aes-256-gcm", "-aes-128-cbc"])
def test_openssl_opens_it_with_a_key_of_an_elliptic_curve(team: Team, tmp_path: Path, curve: str, cipher: str) -> None:
    key, certificate = certificate_of(tmp_path, "ec", "-pkeyopt", f"ec_paramgen_curve:{curve}")
    (tmp_path / "team.crt").write_text(team.key.certificates)
    file = run("openssl", "cms", "-encrypt", "-binary", "-stream", "-outform", "DER", cipher, tmp_path / "team.crt",
               data=CONTENT)  # fmt: skip
    made = team.reseal(file, recipient_of_x509(certificate.read_bytes()).text)
    (tmp_path / "x.cms").write_bytes(made)
    command = ("openssl", "cms", "-decrypt", "-inform", "DER", "-in", tmp_path / "x.cms", "-inkey", key)
    assert run(*command, "-recip", certificate) == CONTENT
    shown = run("openssl", "cms", "-cmsout", "-noout", "-print", "-inform", "DER", "-in", tmp_path / "x.cms")
    assert b"d.kari" in shown
    assert (b"version: 0" if cipher.endswith("gcm") else b"version: 2") in shown


def test_several_recipients_of_each_tool(team: Team, gpg: Gpg, tmp_path: Path) -> None:
    _, certificate = certificate_of(tmp_path)
    (tmp_path / "team.crt").write_text(team.key.certificates)
    person = recipient_of_x509(certificate.read_bytes()).text
    file = run("openssl", "cms", "-encrypt", "-binary", "-stream", "-outform", "DER", "-aes-256-gcm",
               "-recip", certificate, "-recip", tmp_path / "team.crt", data=os.urandom(100))  # fmt: skip
    assert [len(team.header(one).sealed) for one in (file, team.reseal(file, person))] == [2, 1]
    gpg.make("rsa2048", "encr", "somebody")
    file = gpg("--encrypt", "-r", "somebody", "-r", "Backups", data=CONTENT)
    header = team.header(file)
    assert (len(header.sealed), header.ours) == (2, 1)
