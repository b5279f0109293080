"""SSHSIG signature over a file: `ssh-keygen -Y verify -n file -I … -f allowed_signers -s x.sig < x`.

The signed blob holds the file's SHA-256, the namespace and the hash's name, so the service builds it from the digest.
Source: OpenSSH, PROTOCOL.sshsig; RFC 8332 (rsa-sha2-256; -512 for agents), RFC 5656, section 3.1.2, RFC 8709.
"""

from __future__ import annotations

import binascii
import functools
import re

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hsmpub.formats.base import Detached, prepare_message
from hsmpub.formats.context import Context
from hsmpub.formats.format import Artifact, Claim, HashName, Prepared, check_raw
from hsmpub.formats.public_key import load_public
from hsmpub.formats.purposes import check_may_make
from hsmpub.formats.ssh.sshsig_read import read_sshsig
from hsmpub.model.key import KeyKind, KeyRecord

FILE_NAMESPACE = "file"
_ALGORITHM: dict[KeyKind, bytes] = {
    "p256": b"ecdsa-sha2-nistp256",
    "rsa3072": b"rsa-sha2-256",
    "ed25519": b"ssh-ed25519",
}
_LINES = re.compile(rb".{1,70}")


class SshSig(Detached):
    """`.sig`, namespace `file`, with P-256, RSA-3072 (rsa-sha2-256) or Ed25519."""

    name = "sshsig"
    suffix = ".sig"
    key_kinds: frozenset[KeyKind] = frozenset({"p256", "rsa3072", "ed25519"})

    def prepare(self, artifact: Artifact, key: KeyRecord, context: Context) -> Prepared:
        check_may_make(self, key)
        return prepare_sshsig(artifact.state.digest(), key, FILE_NAMESPACE)

    def assemble(self, prepared: Prepared, signature: bytes) -> bytes:
        return assemble_sshsig(prepared, signature)

    def read(self, output: bytes, artifact: Artifact, key: KeyRecord, context: Context | None = None) -> Claim:
        return read_sshsig(output, artifact.state.digest(), key, FILE_NAMESPACE)


def prepare_sshsig(digest: bytes, key: KeyRecord, namespace: str) -> Prepared:
    """digest: SHA-256 of the message, 32 bytes."""
    return prepare_message(_to_be_signed(namespace) + digest, key, head(key, namespace))


def assemble_sshsig(prepared: Prepared, signature: bytes) -> bytes:
    """Armoured, lines of 70 characters as ssh-keygen writes them. Raises RawSignatureMalformed."""
    check_raw(prepared, signature)
    blob = prepared.parts[0] + string(ssh_signature(prepared.kind, signature, prepared.hash))
    text = binascii.b2a_base64(blob, newline=False)
    return b"\n".join((b"-----BEGIN SSH SIGNATURE-----", *_LINES.findall(text), b"-----END SSH SIGNATURE-----", b""))


def ssh_signature(kind: KeyKind, signature: bytes, hash_name: HashName = "sha256") -> bytes:
    """A raw signature in SSH's wire form: algorithm, then its blob."""
    if kind == "p256":
        signature = _mpint_string(signature[:32]) + _mpint_string(signature[32:])
    algorithm = b"rsa-sha2-512" if kind == "rsa3072" and hash_name == "sha512" else _ALGORITHM[kind]
    return string(algorithm) + string(signature)


def string(data: bytes) -> bytes:
    """SSH `string`: four bytes of length, then the bytes. Source: RFC 4251, section 5."""
    return len(data).to_bytes(4, "big") + data


def _mpint_string(number: bytes) -> bytes:
    """SSH `mpint` of a positive number: shortest, with a zero before a set high bit."""
    number = number.lstrip(b"\0")
    return string(b"\0" + number if number[:1] >= b"\x80" else number)


@functools.lru_cache(maxsize=16)
def _to_be_signed(namespace: str) -> bytes:
    """Magic, namespace, reserved, hash name, and the length of the digest that follows."""
    return b"SSHSIG" + string(namespace.encode()) + string(b"") + string(b"sha256") + (32).to_bytes(4, "big")


@functools.lru_cache(maxsize=256)
def head(key: KeyRecord, namespace: str, hash_name: str = "sha256") -> bytes:
    """Everything before the signature: magic, version 1, public key, namespace, reserved, hash name."""
    begun = b"SSHSIG" + (1).to_bytes(4, "big") + string(public_blob(key))
    return begun + string(namespace.encode()) + string(b"") + string(hash_name.encode())


@functools.lru_cache(maxsize=256)
def public_blob(key: KeyRecord) -> bytes:
    """The public key in SSH's wire form."""
    line = load_public(key).public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return binascii.a2b_base64(line.split()[1])


def ssh_public_line(key: KeyRecord) -> str:
    """`ssh-ed25519 AAAA…`, as allowed_signers and forges want it."""
    kind = "ssh-rsa" if isinstance(load_public(key), RSAPublicKey) else _ALGORITHM[key.kind].decode()
    return f"{kind} {binascii.b2a_base64(public_blob(key), newline=False).decode()}"
