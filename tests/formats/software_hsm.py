"""Keys in software with the HSM's conventions: raw r‖s, PKCS#1 v1.5, 64 bytes of Ed25519."""

from __future__ import annotations

import functools

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hsmpub.formats.format import Artifact, Context, Prepared
from hsmpub.formats.sha256state import Sha256State
from hsmpub.model.key import KeyKind, KeyRecord

CREATED_AT = 1_780_000_000
CONTEXT = Context(
    at=1_790_000_000,
    service="releases.acme.example",
    request="r-0001",
    project="sdk-python",
    version="1.4.0",
    commit="0123456789abcdef0123456789abcdef01234567",
    policy_sha256="ab" * 32,
    requester={"issuer": "ci", "subject": "repo:acme/sdk-python:ref:refs/heads/main", "ref": 'refs/heads/"ä\n'},
)


@functools.cache
def private_key(kind: KeyKind, number: int = 0):
    if kind == "p256":
        return ec.generate_private_key(ec.SECP256R1())
    if kind == "rsa3072":
        return rsa.generate_private_key(65537, 3072)
    return ed25519.Ed25519PrivateKey.generate()


def pem_of(kind: KeyKind, number: int = 0) -> str:
    public = private_key(kind, number).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def key_record(kind: KeyKind, *formats: str, number: int = 0) -> KeyRecord:
    return KeyRecord(f"{kind}-{number}", kind, pem_of(kind, number), CREATED_AT, formats)


def sign_raw(prepared: Prepared, number: int = 0) -> bytes:
    private, prehashed = private_key(prepared.kind, number), utils.Prehashed(SHA256())
    if prepared.kind == "ed25519":
        assert prepared.hash == "none"
        return private.sign(prepared.payload)
    assert (prepared.hash, len(prepared.payload)) == ("sha256", 32)
    if prepared.kind == "rsa3072":
        return private.sign(prepared.payload, padding.PKCS1v15(), prehashed)
    r, s = utils.decode_dss_signature(private.sign(prepared.payload, ec.ECDSA(prehashed)))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def artifact_of(data: bytes, name: str = "x.whl") -> Artifact:
    """As it comes from a client: by its hash state alone."""
    return Artifact(name, Sha256State.of_state(Sha256State.of(data).to_state(name)))


def make(format_, data: bytes, key: KeyRecord, number: int = 0, name: str = "x.whl") -> bytes:
    prepared = format_.prepare(artifact_of(data, name), key, CONTEXT)
    return format_.assemble(prepared, sign_raw(prepared, number))
