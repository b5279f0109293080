"""OpenSSH public key lines, read strictly, and the check of a raw SSH signature by such a key.

Sources: RFC 4253 6.6, RFC 5656 3.1, RFC 8332, RFC 8709; OpenSSH PROTOCOL.u2f for `sk-` keys.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm

from hsmpub.errors import Invalid
from hsmpub.formats.ssh.wire import Reader, WireMalformed

MIN_RSA_BITS, MAX_RSA_BITS = 2048, 8192
SK_ED25519 = "sk-ssh-ed25519@openssh.com"
SK_ECDSA = "sk-ecdsa-sha2-nistp256@openssh.com"
_CURVES: dict[str, tuple[ec.EllipticCurve, HashAlgorithm]] = {
    "nistp256": (ec.SECP256R1(), SHA256()),
    "nistp384": (ec.SECP384R1(), SHA384()),
    "nistp521": (ec.SECP521R1(), SHA512()),
}
_RSA_HASHES: dict[str, HashAlgorithm] = {"rsa-sha2-256": SHA256(), "rsa-sha2-512": SHA512()}
_FLAG_PRESENT, _FLAG_VERIFIED, _FLAGS_KNOWN = 0x01, 0x04, 0x1D  # with the two backup flags of WebAuthn level 3

PublicKey = Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey


class SshKeyMalformed(Invalid):
    advice = "Give the one line of the '.pub' file: type, base64, and a comment if you like; no options before it."


class SshKeyRefused(Invalid):
    advice = "Use ssh-ed25519, sk-ssh-ed25519, sk-ecdsa, ECDSA, or RSA of 2048 to 8192 bits; DSA is not taken."


@dataclass(frozen=True)
class SshPublicKey:
    """type: as in the line; blob: the exact wire bytes, which identify it; application: of `sk-` keys, else empty."""

    type: str
    blob: bytes
    public: PublicKey
    application: str = ""

    @property
    def line(self) -> str:
        """`type base64`, without comment."""
        return f"{self.type} {base64.b64encode(self.blob).decode()}"

    @property
    def fingerprint(self) -> str:
        """`SHA256:…` as ssh-keygen prints it."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).rstrip(b"=").decode()

    @property
    def needs_hardware(self) -> bool:
        return self.type in (SK_ED25519, SK_ECDSA)


@lru_cache(maxsize=1024)
def load_ssh_key(line: str) -> SshPublicKey:
    """The key of an OpenSSH public key line.

    Raises:
        SshKeyMalformed: no such line, or not in canonical form.
        SshKeyRefused: a kind of key, or a size, that is not accepted.
    """
    parts = line.split(None, 2)
    if len(line) > 16_384 or len(parts) < 2 or "\n" in line.strip():
        raise SshKeyMalformed("This is not an OpenSSH public key line.")
    try:
        blob = binascii.a2b_base64(parts[1], strict_mode=True)
    except (binascii.Error, ValueError):
        raise SshKeyMalformed("The base64 of the OpenSSH public key is broken.") from None
    key = parse_ssh_key(blob)
    if key.type != parts[0] or key.line.split()[1] != parts[1]:
        raise SshKeyMalformed("The OpenSSH public key line says one thing and its base64 another.")
    return key


def parse_ssh_key(blob: bytes) -> SshPublicKey:
    """The key of its exact wire bytes. Raises as `load_ssh_key`."""
    try:
        reader = Reader(blob)
        kind = reader.text()
        application = ""
        if kind in ("ssh-ed25519", SK_ED25519):
            public: PublicKey = Ed25519PublicKey.from_public_bytes(reader.exactly(32))
        elif kind == "ssh-rsa":
            public = _read_rsa(reader)
        elif kind == SK_ECDSA or kind.startswith("ecdsa-sha2-"):
            public = _read_ec(kind, reader)
        else:
            raise SshKeyRefused("This kind of SSH key is not accepted.")
        if kind in (SK_ED25519, SK_ECDSA):
            application = reader.text()
            if not application.startswith("ssh:"):
                raise SshKeyRefused("The hardware key was made for another application than SSH.")
        reader.end()
    except (WireMalformed, UnsupportedAlgorithm, ValueError):
        raise SshKeyMalformed("The base64 of the OpenSSH public key holds no proper key.") from None
    return SshPublicKey(kind, blob, public, application)


def _read_rsa(reader: Reader) -> rsa.RSAPublicKey:
    e, n = reader.mpint(), reader.mpint()
    if not MIN_RSA_BITS <= n.bit_length() <= MAX_RSA_BITS or not 3 <= e < 1 << 33:
        raise SshKeyRefused(f"The RSA key has {n.bit_length()} bits, or a strange exponent.")
    return rsa.RSAPublicNumbers(e, n).public_key()


def _read_ec(kind: str, reader: Reader) -> ec.EllipticCurvePublicKey:
    name = reader.text()
    if name not in _CURVES or (kind != SK_ECDSA and kind != f"ecdsa-sha2-{name}"):
        raise SshKeyRefused("The SSH key lies on a curve that is not accepted.")
    if kind == SK_ECDSA and name != "nistp256":
        raise SshKeyRefused("The SSH key lies on a curve that is not accepted.")
    point = reader.string()
    if point[:1] != b"\x04":
        raise WireMalformed("compressed point")
    return ec.EllipticCurvePublicKey.from_encoded_point(_CURVES[name][0], point)


@dataclass(frozen=True)
class Verified:
    """What a good signature says. `counter` is the authenticator's, None for keys in software."""

    present: bool
    verified: bool
    counter: int | None


def check_raw_signature(key: SshPublicKey, blob: bytes, message: bytes) -> Verified:
    """Check the signature blob of the SSH protocol over exact bytes.

    Raises:
        WireMalformed: not the signature blob that this kind of key makes (ssh-rsa with SHA-1 is none of them).
        InvalidSignature: well-formed, and not of these bytes by this key.
    """
    reader = Reader(blob)
    algorithm = reader.text()
    raw = reader.string()
    flags, counter = (reader.byte(), reader.uint32()) if key.needs_hardware else (0, None)
    reader.end()
    if counter is not None:
        if flags & ~_FLAGS_KNOWN:
            raise WireMalformed("unknown authenticator flags")
        message = b"".join((
            hashlib.sha256(key.application.encode()).digest(), bytes([flags]), counter.to_bytes(4, "big"),
            hashlib.sha256(message).digest(),
        ))  # fmt: skip
    if isinstance(key.public, rsa.RSAPublicKey):
        if algorithm not in _RSA_HASHES or len(raw) != (key.public.key_size + 7) // 8:
            raise WireMalformed("RSA signature of another shape")
        key.public.verify(raw, message, padding.PKCS1v15(), _RSA_HASHES[algorithm])
    elif algorithm != key.type:
        raise WireMalformed("signature algorithm of another key")
    elif isinstance(key.public, Ed25519PublicKey):
        key.public.verify(raw, message)
    else:
        _check_ecdsa(key.public, raw, message)
    if counter is None:
        return Verified(present=False, verified=False, counter=None)
    return Verified(bool(flags & _FLAG_PRESENT), bool(flags & _FLAG_VERIFIED), counter)


def _check_ecdsa(public: ec.EllipticCurvePublicKey, raw: bytes, message: bytes) -> None:
    numbers = Reader(raw)
    r, s = numbers.mpint(), numbers.mpint()
    numbers.end()
    if not r or not s or max(r, s).bit_length() > public.key_size:
        raise InvalidSignature
    name = {"secp256r1": "nistp256", "secp384r1": "nistp384", "secp521r1": "nistp521"}[public.curve.name]
    public.verify(encode_dss_signature(r, s), message, ec.ECDSA(_CURVES[name][1]))
