"""The key that a genesis makes for backups, as foreign tools see it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import msgspec
import pytest
from ceremony_stage import Born, hsm_of, unseal

from hsmpub.formats.openpgp.encryption import subkey_fingerprint
from hsmpub.formats.openpgp.encryption_read import check_encryption_certificate
from hsmpub.formats.openpgp.read import OpenpgpKeyDiffers
from hsmpub.formats.public_key import PublicKeyUnfit, load_public
from hsmpub.formats.x509_encryption import X509Differs, check_certificates
from hsmpub.hsm.rules import KeyUnfit, KeyUnknown
from hsmpub.hsm.signer import TokenSigner
from hsmpub.model.key import KeyRecord
from hsmpub.secret.page import SecretPage
from tests.forked import run_forked


def pinned(born: Born, name: str) -> KeyRecord:
    return next(key for key in born.done.trust.keys if key.name == name)


def form(born: Born, name: str) -> bytes:
    done = run_forked("hsmpub", ["backup-key", "--form", name, "--trust", born.home.trust])
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_age_encrypts_to_the_recipient(born: Born, tmp_path: Path) -> None:
    line = form(born, "age").decode().strip()
    done = subprocess.run(["age", "-r", line, "-o", tmp_path / "x.age"], input=b"backup", capture_output=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "x.age").read_bytes().startswith(b"age-encryption.org/v1\n-> ssh-rsa ")


def test_gpg_encrypts_to_the_certificate_and_to_its_subkey_alone(born: Born, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    gpg = ["gpg", "--homedir", str(tmp_path), "--batch", "--no-autostart", "--trust-model", "always"]
    subprocess.run([*gpg, "--import"], input=form(born, "openpgp"), check=True, capture_output=True)
    shown = subprocess.run([*gpg, "--with-colons", "--list-keys"], check=True, capture_output=True, text=True).stdout
    fields = [line.split(":") for line in shown.splitlines()]
    uses = {line[0]: line[11] for line in fields if line[0] in ("pub", "sub")}
    assert uses == {"pub": "cEC", "sub": "e"}
    certificate = subkey_fingerprint(pinned(born, "backup")).hex().upper()
    assert certificate in shown
    encrypt = [*gpg, "--encrypt", "-r", "Example Releases backups", "-o", str(tmp_path / "x.gpg")]
    done = subprocess.run(encrypt, input=b"backup", capture_output=True)
    assert done.returncode == 0, done.stderr
    packets = subprocess.run([*gpg, "--list-packets", "--list-only", str(tmp_path / "x.gpg")], capture_output=True)
    assert f"keyid {certificate[-16:]}".encode() in packets.stdout


def test_openssl_encrypts_to_the_certificate_and_its_chain_verifies(born: Born, tmp_path: Path) -> None:
    leaf = tmp_path / "backup.crt"
    leaf.write_bytes(form(born, "x509"))
    authority = born.home.genesis / "backup-certify.crt"
    done = subprocess.run(["openssl", "verify", "-x509_strict", "-CAfile", authority, leaf], capture_output=True)
    assert done.returncode == 0, done.stderr
    command = ["openssl", "cms", "-encrypt", "-binary", "-aes-256-gcm", "-outform", "DER", "-out", tmp_path / "x.cms"]
    done = subprocess.run([*command, leaf], input=b"backup", capture_output=True)
    assert done.returncode == 0, done.stderr


def test_openssl_encrypts_to_the_bare_key(born: Born, tmp_path: Path) -> None:
    key = tmp_path / "backup.pem"
    key.write_bytes(form(born, "pem"))
    command = ["openssl", "pkeyutl", "-encrypt", "-pubin", "-inkey", key, "-pkeyopt", "rsa_padding_mode:oaep"]
    done = subprocess.run(command, input=os.urandom(32), capture_output=True)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout) == 384


def test_signs_nothing(born: Born, tmp_path: Path) -> None:
    with SecretPage() as pin:
        unseal(born.stage, born.home, born.home.genesis / "shares", ("holder-1", "holder-2", "holder-3"), pin)
        with TokenSigner(hsm_of(born.home), pin) as signer, pytest.raises((KeyUnfit, KeyUnknown)):
            signer.sign("backup", bytes(32))
    with pytest.raises(PublicKeyUnfit):  # and nothing that it could be said to have signed is believed
        load_public(pinned(born, "backup"))


def test_refuses_certificates_of_another_key(born: Born) -> None:
    certifier, key = pinned(born, "backup-certify"), pinned(born, "backup")
    release = pinned(born, "release")
    other = msgspec.structs.replace(certifier, public=release.public)
    with pytest.raises(X509Differs):
        check_certificates(other, key)
    with pytest.raises(X509Differs):
        check_certificates(certifier, msgspec.structs.replace(key, certificates=certifier.certificates))
    with pytest.raises(OpenpgpKeyDiffers):
        check_encryption_certificate(key.openpgp, other, key)


def test_no_format_is_made_with_either(born: Born) -> None:
    assert pinned(born, "backup").formats == pinned(born, "backup-certify").formats == ()
