"""A decryption key in software, with the certificates that a genesis would make, and what foreign tools do with it."""

from __future__ import annotations

import functools
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hsmpub.client.backup_key import age_recipient
from hsmpub.envelope.age import ssh_tag, write_stanza
from hsmpub.envelope.forms import find_header, form_of
from hsmpub.envelope.header import MAX_HEADER_BYTES, Header
from hsmpub.envelope.reseal import reseal
from hsmpub.formats.openpgp.encryption import assemble_encryption_certificate, prepare_encryption_certificate
from hsmpub.formats.public_key import load_encryption_key
from hsmpub.formats.x509_encryption import build_certificates
from hsmpub.model.key import KeyRecord

_CERTIFIER = ec.derive_private_key(4711, ec.SECP256R1())


@dataclass(frozen=True)
class Team:
    """The key, and how often it was used."""

    private: rsa.RSAPrivateKey
    key: KeyRecord
    certifier: KeyRecord
    blocks: list[bytes]

    def decrypt(self, block: bytes) -> bytearray:
        """As the token does it: without padding."""
        self.blocks.append(block)
        numbers = self.private.private_numbers()
        opened = pow(int.from_bytes(block, "big"), numbers.d, numbers.public_numbers.n)
        return bytearray(opened.to_bytes(384, "big"))

    def header(self, file: bytes) -> Header:
        return find_header(file[: MAX_HEADER_BYTES + 512], form_of(file), self.key)

    def reseal(self, file: bytes, recipient: str) -> bytes:
        """The file with a header for somebody else."""
        header = self.header(file)
        return reseal(header.raw, header.form, self.key, recipient, self.decrypt) + file[len(header.raw) :]

    @property
    def age(self) -> str:
        return age_recipient(self.key)


@functools.cache
def team() -> Team:
    """The one of this process."""
    private = rsa.generate_private_key(65537, 3072)
    key = KeyRecord("backup", "rsa3072-decrypt", _pem(private.public_key()), 1_700_000_000)
    certifier = KeyRecord("backup-certify", "p256", _pem(_CERTIFIER.public_key()), 1_700_000_000)

    def sign(digest: bytes) -> bytes:
        r, s = decode_dss_signature(_CERTIFIER.sign(digest, ec.ECDSA(Prehashed(SHA256()))))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    first, second = prepare_encryption_certificate(certifier, key, "Backups <ops@example.org>", at=1_700_000_000)
    openpgp = assemble_encryption_certificate((first, sign(first.payload)), (second, sign(second.payload)))
    authority, leaf = build_certificates(certifier, key, "releases", at=1_700_000_000, sign=sign)
    certifier = msgspec.structs.replace(certifier, certificates=authority)
    return Team(private, msgspec.structs.replace(key, openpgp=openpgp, certificates=leaf), certifier, [])


def _pem(public: rsa.RSAPublicKey | ec.EllipticCurvePublicKey) -> str:
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def run(*command: str | Path, data: bytes = b"") -> bytes:
    done = subprocess.run(command, input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


class Gpg:
    """A key ring of its own. gpg's agent ends with it."""

    def __init__(self, home: Path) -> None:
        home.mkdir(mode=0o700)
        self._base = ("gpg", "--homedir", str(home), "--batch", "--no-tty", "--trust-model", "always", "--quiet")
        self._home = home

    def __call__(self, *arguments: str | Path, data: bytes = b"") -> bytes:
        return run(*self._base, *arguments, data=data)

    def make(self, algorithm: str, usage: str, name: str) -> bytes:
        """A key without passphrase; its certificate."""
        self("--passphrase", "", "--quick-generate-key", f"{name} <{name}@example.org>", *_primary(algorithm))
        if usage:
            self("--passphrase", "", "--quick-add-key", self.fingerprints(name)[0], algorithm, usage)
        return self("--export", name)

    def fingerprints(self, name: str) -> list[str]:
        """Of the primary key and its subkeys."""
        shown = self("--with-colons", "-K", name).decode().splitlines()
        return [line.split(":")[9] for line in shown if line.startswith("fpr")]

    def close(self) -> None:
        subprocess.run(["gpgconf", "--homedir", self._home, "--kill", "all"], check=False, capture_output=True)


def _primary(algorithm: str) -> Sequence[str]:
    return ("rsa2048", "sign,cert") if algorithm.startswith("rsa") else ("ed25519", "sign,cert")


def sealed_to(key: KeyRecord, content: bytes, label: bytes) -> bytes:
    """A stanza of age for the key, with any content and label."""
    body = load_encryption_key(key).encrypt(content, OAEP(MGF1(SHA256()), SHA256(), label))
    return write_stanza(["ssh-rsa", ssh_tag(key)], body)
