"""Keys in software with the HSM's conventions: raw r‖s, PKCS#1 v1.5, 64 bytes of Ed25519."""

from __future__ import annotations

import functools
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.hashes import SHA256, SHA512
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hsmpub.formats.context import Context, RevokedSoFar
from hsmpub.formats.format import Artifact, Format, Prepared, digests_of
from hsmpub.formats.purposes import CA_FORMATS
from hsmpub.formats.salted import Salted
from hsmpub.formats.sha256state import Sha256State
from hsmpub.formats.source import BytesSource
from hsmpub.formats.x509.root import make_root
from hsmpub.model.attested import Attestation, Build
from hsmpub.model.key import KeyKind, KeyRecord
from hsmpub.model.predicate import SshProfile
from hsmpub.model.profiles import CertificateProfile, CrlProfile, JwtProfile
from hsmpub.model.said import Revoked
from hsmpub.policy.lists import IMAGE_FORMATS

CREATED_AT = 1_780_000_000
TEN_YEARS = timedelta(days=3650)
#: Formats that need a certificate chain.
CERTIFIED = frozenset({"cms", "authenticode", "msi", "cab", "cat", "kernel-module", "jar", "apk", "pdf", "timestamp"})
#: Of signatures of salted formats.
SALT = bytes(range(16))
IMAGE = "registry.example:5000/acme/web"
CONTEXT = Context(
    at=1_790_000_000,
    service="releases.acme.example",
    request="r-0001",
    project="sdk-python",
    version="1.4.0",
    commit="0123456789abcdef0123456789abcdef01234567",
    policy_sha256="ab" * 32,
    ssh=SshProfile("user", ("deploy", "backup"), 3600, ("permit-pty", "permit-port-forwarding")),
    attest=Attestation(
        "https://example.org/review/v1", {"reviewer": "security-officer", "findings": [1, 2.5, None, "ä"]}
    ),
    build=Build(
        builder="https://forge.example/acme/sdk-python/.forge/release.yml@refs/heads/main",
        type="urn:example:build:v1",
        invocation="https://forge.example/acme/sdk-python/runs/7",
        source="git+https://forge.example/acme/sdk-python@refs/heads/main",
        commit="0123456789abcdef0123456789abcdef01234567",
        external={"path": ".forge/release.yml"},
        internal={"runner": "hosted"},
    ),
    jwt=JwtProfile(
        "2026-key",
        "JWT",
        600,
        {
            "iss": ("12345",),
            "sub": ("repo:acme/*",),
            "aud": ("https://api.acme.example", "https://*.acme.example"),
            "scope": ("read:*", "write:sdk"),
        },
        free=("context",),
        early=60,
        nbf=True,
        jti=True,
    ),
    certificate=CertificateProfile(
        "tls-server",
        ("*.internal.acme.example",),
        86_400,
        ("p256", "rsa3072", "ed25519"),
        "Acme",
        "DE",
        "http://crl.acme.example/ca.crl",
    ),
    crl=CrlProfile(7 * 86_400),
    revoked=RevokedSoFar(41, (Revoked("abc", "superseded", 1_780_000_100),), frozenset({"def", "123", "456"})),
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
    certificates = chain_of(kind, number, *usage_for(formats))[0] if CERTIFIED.intersection(formats) else ""
    if CA_FORMATS.intersection(formats) and kind != "ed25519":
        certificates = root_of(kind, number)
    return KeyRecord(f"{kind}-{number}", kind, pem_of(kind, number), CREATED_AT, formats, certificates=certificates)


@functools.cache
def root_of(kind: KeyKind, number: int = 0, *hosts: str) -> str:
    """A self-signed certificate of a CA, for the key; PEM."""
    key = KeyRecord("ca", kind, pem_of(kind, number), CREATED_AT)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Acme CA {number}")])

    def sign(digest: bytes) -> bytes:
        return _sign_one(Prepared(digest, "sha256", kind), digest, number)

    return make_root(key, name, sign, at=CREATED_AT, seconds=3650 * 86_400, hosts=hosts).decode()


def usage_for(formats: tuple[str, ...]) -> tuple[x509.ObjectIdentifier, ...]:
    return (ExtendedKeyUsageOID.TIME_STAMPING,) if formats[:1] == ("timestamp",) else ()


@functools.cache
def chain_of(
    kind: KeyKind, number: int = 0, usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.CODE_SIGNING
) -> tuple[str, str]:
    """A chain for the key, by default for code signing, its own certificate first, and the root; PEM."""
    root, since = ec.generate_private_key(ec.SECP256R1()), datetime.fromtimestamp(CREATED_AT, UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test Root")])
    begun = x509.CertificateBuilder().issuer_name(name).not_valid_before(since).not_valid_after(since + TEN_YEARS)
    authority = (
        begun.subject_name(name).public_key(root.public_key()).serial_number(1)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(root, SHA256())
    )  # fmt: skip
    leaf = (
        begun.subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Releases {number}")]))
        .public_key(private_key(kind, number).public_key()).serial_number(200 + number)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=usage == ExtendedKeyUsageOID.TIME_STAMPING)
        .sign(root, SHA256())
    )  # fmt: skip
    pem = authority.public_bytes(Encoding.PEM).decode()
    return leaf.public_bytes(Encoding.PEM).decode() + pem, pem


def sign_raw(prepared: Prepared, number: int = 0) -> bytes:
    return b"".join(_sign_one(prepared, payload, number) for payload in digests_of(prepared))


def _sign_one(prepared: Prepared, payload: bytes, number: int) -> bytes:
    algorithm, length = {"sha512": (SHA512(), 64)}.get(prepared.hash, (SHA256(), 32))
    private, prehashed = private_key(prepared.kind, number), utils.Prehashed(algorithm)
    if prepared.kind == "ed25519":
        assert prepared.hash == "none"
        return private.sign(payload)
    assert prepared.hash != "none"
    assert len(payload) == length
    if prepared.kind == "rsa3072":
        return private.sign(payload, padding.PKCS1v15(), prehashed)
    r, s = utils.decode_dss_signature(private.sign(payload, ec.ECDSA(prehashed)))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def artifact_of(data: bytes, name: str = "x.whl", format_: Format | None = None) -> Artifact:
    """As it comes from a client: by its hash state, and what the format needs beside it."""
    details = {}
    if format_ and format_.detail_limit:
        source = BytesSource(data)
        salted = isinstance(format_, Salted)  # else no two artifacts of one file would be the same
        details = {format_.name: format_.extract_after(SALT, source) if salted else format_.extract(source)}
    image = IMAGE if format_ and format_.name in IMAGE_FORMATS else ""
    return Artifact(name, Sha256State.of_state(Sha256State.of(data).to_state(name)), details, image)


def sign_all(format_: Format, prepared: Prepared, number: int = 0) -> tuple[Prepared, bytes]:
    """What is assembled, and the raw signature of it: the second one, where that covers the first."""
    raw = sign_raw(prepared, number)
    following = format_.follow(prepared, raw)
    return (prepared, raw) if following is None else sign_all(format_, following, number)


def make(format_, data: bytes, key: KeyRecord, number: int = 0, name: str = "x.whl") -> bytes:
    prepared = format_.prepare(artifact_of(data, name, format_), key, CONTEXT)
    return format_.assemble(*sign_all(format_, prepared, number))
