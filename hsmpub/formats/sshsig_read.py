"""Reads the service's own SSHSIG outputs and compares all that they say with the pinned key. Builds nothing.

Approvals by people's keys, FIDO ones among them, are another matter: hsmpub.formats.sshsig_verify.
Source: OpenSSH, PROTOCOL.sshsig; RFC 4251, section 5 (mpint).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import struct

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hsmpub.formats.cursor import Cursor
from hsmpub.formats.format import Claim, OutputForAnother, OutputMalformed
from hsmpub.formats.public_key import PublicKey, load_public
from hsmpub.model.key import KeyRecord

_ARMOR = re.compile(
    rb"-----BEGIN SSH SIGNATURE-----\n(?P<body>(?:[A-Za-z0-9+/]{70}\n)*(?=[^\n]{1,70}\n)[A-Za-z0-9+/]+={0,2}\n)"
    rb"-----END SSH SIGNATURE-----\n"
)


class SshsigMalformed(OutputMalformed):
    pass


class SshsigKeyDiffers(OutputForAnother):
    advice = "It was made by another SSH key than the one pinned for this service."


class SshsigNamespaceDiffers(OutputForAnother):
    advice = "It was made for another purpose: files have the namespace 'file'."


def read_sshsig(text: bytes, digest: bytes, key: KeyRecord, namespace: str) -> Claim:
    """The claim of an armoured SSHSIG. digest: SHA-256 of the message, 32 bytes.

    Raises:
        SshsigMalformed, SshsigKeyDiffers, SshsigNamespaceDiffers.
    """
    cursor = Cursor(_dearmor(text), SshsigMalformed)
    cursor.expect(b"SSHSIG\x00\x00\x00\x01", "magic or version")
    public = load_public(key)
    algorithm, blob = _expected(public)
    if cursor.sized(4) != blob:
        raise SshsigKeyDiffers(f"The signature does not hold the public key {key.name!r}.")
    if cursor.sized(4) != namespace.encode():
        raise SshsigNamespaceDiffers(f"The signature is not of the namespace {namespace!r}.")
    cursor.expect(b"\x00\x00\x00\x00", "reserved member")
    cursor.expect(b"\x00\x00\x00\x06sha256", "hash")
    inner = Cursor(cursor.sized(4), SshsigMalformed)
    cursor.end()
    if inner.sized(4) != algorithm:
        raise SshsigMalformed("The signature names an algorithm that its key does not use.")
    raw = _read_raw(inner.sized(4), public)
    inner.end()
    name = namespace.encode()
    message = struct.pack(f">6sI{len(name)}sII6sI32s", b"SSHSIG", len(name), name, 0, 6, b"sha256", 32, digest)
    if algorithm == b"ssh-ed25519":
        return Claim(message, "none", raw)
    return Claim(hashlib.sha256(message).digest(), "sha256", raw)


def _dearmor(text: bytes) -> bytes:
    match = _ARMOR.fullmatch(text)
    if match is None:
        raise SshsigMalformed("This is not one armoured SSH signature.")
    joined = match["body"].replace(b"\n", b"")
    try:
        data = base64.b64decode(joined, validate=True)
    except binascii.Error:
        raise SshsigMalformed("The armour holds broken base64.") from None
    if base64.b64encode(data) != joined:  # bits beyond the last byte
        raise SshsigMalformed("The armour is spelled in an unusual way.")
    return data


def _expected(public: PublicKey) -> tuple[bytes, bytes]:
    """Signature algorithm and wire form of the pinned key."""
    kind, text = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).split()[:2]
    return (b"rsa-sha2-256" if isinstance(public, RSAPublicKey) else kind), base64.b64decode(text)


def _read_raw(signature: bytes, public: PublicKey) -> bytes:
    """The raw form: two mpints of ECDSA side by side, RSA and Ed25519 as they are."""
    if not isinstance(public, EllipticCurvePublicKey):
        if len(signature) != (384 if isinstance(public, RSAPublicKey) else 64):
            raise SshsigMalformed("The signature has not the length that its key gives.")
        return signature
    cursor = Cursor(signature, SshsigMalformed)
    halves = [_read_mpint(cursor.sized(4)) for _ in range(2)]
    cursor.end()
    return b"".join(halves)


def _read_mpint(digits: bytes) -> bytes:
    number = int.from_bytes(digits, "big", signed=True)
    if number <= 0 or len(digits) != number.bit_length() // 8 + 1 or number.bit_length() > 256:
        raise SshsigMalformed("A number of the signature is not spelled as it should be.")
    return number.to_bytes(32, "big")
