"""Those who sign in the tests: real ssh-keygen, and an authenticator in software that signs as hardware does."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

MESSAGE = b"DSSEv1 exact bytes of a statement"
NAMESPACE = "hsmpub-approval"


def string(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def mpint(value: int) -> bytes:
    return string(value.to_bytes(value.bit_length() // 8 + 1, "big") if value else b"")


def armor(blob: bytes, width: int = 70) -> bytes:
    text = base64.b64encode(blob)
    lines = [text[i : i + width] for i in range(0, len(text), width)]
    return b"\n".join([b"-----BEGIN SSH SIGNATURE-----", *lines, b"-----END SSH SIGNATURE-----", b""])


def envelope(key: bytes, signature: bytes, *, namespace: bytes = NAMESPACE.encode(), hash_name: bytes = b"sha512",
             magic: bytes = b"SSHSIG\0\0\0\1", reserved: bytes = b"", tail: bytes = b"") -> bytes:  # fmt: skip
    return magic + b"".join(map(string, (key, namespace, reserved, hash_name, signature))) + tail


def signed_data(message: bytes, namespace: str = NAMESPACE) -> bytes:
    return b"SSHSIG" + b"".join(map(string, (namespace.encode(), b"", b"sha512", hashlib.sha512(message).digest())))


class Authenticator:
    """Signs as a FIDO security key does. Source: OpenSSH PROTOCOL.u2f, 'SSH U2F signatures'."""

    def __init__(self, kind: str = "ed25519", application: bytes = b"ssh:") -> None:
        self.application = application
        if kind == "ed25519":
            self.type = b"sk-ssh-ed25519@openssh.com"
            self.key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey = Ed25519PrivateKey.generate()
            self.blob = string(self.type) + string(self.key.public_key().public_bytes_raw()) + string(application)
        else:
            self.type = b"sk-ecdsa-sha2-nistp256@openssh.com"
            self.key = ec.generate_private_key(ec.SECP256R1())
            point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
            self.blob = string(self.type) + string(b"nistp256") + string(point) + string(application)

    @property
    def line(self) -> str:
        return f"{self.type.decode()} {base64.b64encode(self.blob).decode()} holder-1"

    def raw(self, data: bytes, flags: int, counter: int) -> bytes:
        authenticator_data = hashlib.sha256(self.application).digest() + bytes([flags]) + counter.to_bytes(4, "big")
        to_sign = authenticator_data + hashlib.sha256(data).digest()
        if isinstance(self.key, Ed25519PrivateKey):
            return string(self.key.sign(to_sign))
        r, s = decode_dss_signature(self.key.sign(to_sign, ec.ECDSA(SHA256())))
        return string(mpint(r) + mpint(s))

    def sign(
        self,
        *,
        message: bytes = MESSAGE,
        namespace: str = NAMESPACE,
        flags: int = 5,
        counter: int = 7,
        said_flags: int | None = None,
    ) -> bytes:
        """An armoured signature; `said_flags` claims other flags than were signed."""
        said = flags if said_flags is None else said_flags
        signature = (
            string(self.type)
            + self.raw(signed_data(message, namespace), flags, counter)
            + bytes([said])
            + counter.to_bytes(4, "big")
        )
        return armor(envelope(self.blob, signature, namespace=namespace.encode()))


def keygen(folder: Path, *options: str) -> Path:
    path = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-N", "", "-C", "holder-1", "-f", path, *options], check=True)
    return path


def sign(key: Path, *, message: bytes = MESSAGE, namespace: str = NAMESPACE, options: tuple[str, ...] = ()) -> bytes:
    command = ["ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", str(key), *options]
    return subprocess.run(command, input=message, capture_output=True, check=True).stdout
