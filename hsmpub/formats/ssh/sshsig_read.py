"""Reads the service's own SSHSIG outputs and compares all that they say with the pinned key. Builds nothing.

Approvals by people's keys, FIDO ones among them, are another matter: hsmpub.formats.ssh.sshsig_verify.
Source: OpenSSH, PROTOCOL.sshsig; RFC 4251, section 5 (mpint).
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import re
import struct
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hsmpub.formats.cursor import Cursor
from hsmpub.formats.format import Claim, HashName, OutputForAnother, OutputMalformed
from hsmpub.formats.public_key import load_public
from hsmpub.model.key import KeyKind, KeyRecord

_ARMOUR = re.compile(rb"-----BEGIN SSH SIGNATURE-----\n((?:.{70}\n)*.{1,70}\n)-----END SSH SIGNATURE-----\n")


class SshsigMalformed(OutputMalformed):
    pass


class SshsigKeyDiffers(OutputForAnother):
    advice = "It was made by another SSH key than the one pinned for this service."


class SshsigNamespaceDiffers(OutputForAnother):
    advice = "It was made for another purpose: files have the namespace 'file'."


def read_sshsig(text: bytes, digest: bytes, key: KeyRecord, namespace: str, hash_name: str = "sha256", *,
                rsa_hash: HashName = "sha256") -> Claim:  # fmt: skip
    """The claim of an armoured SSHSIG.

    Args:
        digest: of the message, under hash_name: sha256 or sha512. rsa_hash: what an RSA key hashes the structure with.

    Raises:
        SshsigMalformed, SshsigKeyDiffers, SshsigNamespaceDiffers.
    """
    data = _dearmor(text)
    expected = _expected(key, namespace, hash_name, rsa_hash)
    if not data.startswith(expected.head):
        raise _difference(Cursor(data, SshsigMalformed), expected, key, namespace)
    [signature] = _strings(data[len(expected.head) :], 1)
    raw = _read_raw(signature, expected.algorithm, key.kind)
    message = expected.message + digest
    if key.kind == "ed25519":
        return Claim(message, "none", raw)
    if key.kind == "rsa3072" and rsa_hash == "sha512":
        return Claim(hashlib.sha512(message).digest(), "sha512", raw)
    return Claim(hashlib.sha256(message).digest(), "sha256", raw)


def read_signature(signature: bytes, key: KeyRecord, malformed: type[OutputMalformed]) -> bytes:
    """The raw form of an SSH signature: algorithm and blob. Raises `malformed`."""
    try:
        return _read_raw(signature, _expected(key, "", "sha256").algorithm, key.kind)
    except SshsigMalformed as e:
        raise malformed(e.detail) from None


class _Expected(NamedTuple):
    """What is the same in every output of a key and namespace.

    head: all bytes before the signature; blob: the public key in them; message: what is signed, up to the digest.
    """

    head: bytes
    blob: bytes
    algorithm: bytes
    message: bytes


@functools.lru_cache(maxsize=256)
def _expected(key: KeyRecord, namespace: str, hash_name: str, rsa_hash: HashName = "sha256") -> _Expected:
    public, name = load_public(key), namespace.encode()
    kind, text = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).split()[:2]
    blob = base64.b64decode(text)
    rest = struct.pack(f">I{len(name)}sII6s", len(name), name, 0, 6, hash_name.encode())
    return _Expected(
        head=struct.pack(f">6sII{len(blob)}s", b"SSHSIG", 1, len(blob), blob) + rest,
        blob=blob,
        algorithm=f"rsa-sha2-{rsa_hash[3:]}".encode() if isinstance(public, RSAPublicKey) else kind,
        message=b"SSHSIG" + rest + (64 if hash_name == "sha512" else 32).to_bytes(4, "big"),
    )


def _difference(cursor: Cursor, expected: _Expected, key: KeyRecord, namespace: str) -> Exception:
    """What is wrong with the bytes before the signature."""
    try:
        cursor.expect(b"SSHSIG\x00\x00\x00\x01", "magic or version")
        if cursor.sized(4) != expected.blob:
            return SshsigKeyDiffers(f"The signature does not hold the public key {key.name!r}.")
        if cursor.sized(4) != namespace.encode():
            return SshsigNamespaceDiffers(f"The signature is not of the namespace {namespace!r}.")
        cursor.expect(b"\x00\x00\x00\x00", "reserved member")
        cursor.expect(b"\x00\x00\x00\x06sha256", "hash")
    except SshsigMalformed as malformed:
        return malformed
    return SshsigMalformed("What stands before the signature is not as expected.")


def _dearmor(text: bytes) -> bytes:
    """What the armour holds. There is one way to spell it: of white space, line lengths, padding and bits beyond the
    last byte no other is taken."""
    armour = _ARMOUR.fullmatch(text)
    if armour is None:
        raise SshsigMalformed("This is not one armoured SSH signature in full lines.")
    base64_text = armour[1].replace(b"\n", b"")
    try:
        data = binascii.a2b_base64(base64_text)
    except binascii.Error:
        raise SshsigMalformed("The armour holds broken base64.") from None
    if binascii.b2a_base64(data, newline=False) != base64_text:
        raise SshsigMalformed("The armour is spelled in an unusual way.")
    return data


def _read_raw(signature: bytes, algorithm: bytes, kind: KeyKind) -> bytes:
    """The raw form: two mpints of ECDSA side by side, RSA and Ed25519 as they are."""
    named, blob = _strings(signature, 2)
    if named != algorithm:
        raise SshsigMalformed("The signature names an algorithm that its key does not use.")
    if kind == "p256":
        r, s = _strings(blob, 2)
        return _read_mpint(r) + _read_mpint(s)
    if len(blob) != (384 if kind == "rsa3072" else 64):
        raise SshsigMalformed("The signature has not the length that its key gives.")
    return blob


def _strings(data: bytes, count: int) -> list[bytes]:
    """So many SSH strings, and nothing after them."""
    found, end = [], 0
    for _ in range(count):
        begin = end + 4
        end = begin + int.from_bytes(data[end:begin], "big")
        found.append(data[begin:end])
    if end != len(data):  # beyond it, where a string or its length is cut short: it never goes back
        raise SshsigMalformed("The signature ends too early, or goes on after its end.")
    return found


def _read_mpint(digits: bytes) -> bytes:
    number = int.from_bytes(digits, "big", signed=True)
    bits = number.bit_length()
    if number <= 0 or len(digits) != bits // 8 + 1 or bits > 256:
        raise SshsigMalformed("A number of the signature is not spelled as it should be.")
    return number.to_bytes(32, "big")
