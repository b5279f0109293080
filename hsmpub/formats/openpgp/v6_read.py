"""Reads OpenPGP version 6 signatures and compares all that they say with the pinned key. Builds nothing.

Source: RFC 9580, 5.2.3, 5.2.4, 5.5.2.3 and 5.5.4.3.
"""

from __future__ import annotations

import functools
import hashlib

import msgspec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hsmpub.formats.cursor import Cursor
from hsmpub.formats.format import Claim, OutputForAnother
from hsmpub.formats.openpgp.parse import OpenpgpMalformed, dearmor, packets, read_mpi, read_subpackets
from hsmpub.formats.openpgp.read import OpenpgpDigestDiffers, OpenpgpKeyDiffers, OpenpgpTimeDiffers, pinned_key_body
from hsmpub.formats.public_key import load_public
from hsmpub.formats.sha256state import FileHash
from hsmpub.model.key import KeyRecord

#: RSA, ECDSA, Ed25519, and how long each one's numbers are; Ed25519 has its 64 bytes as they are.
_ALGORITHMS = {"rsa3072": 1, "p256": 19, "ed25519": 27}
_WIDTHS = {1: (384,), 19: (32, 32)}


class OpenpgpSaltDiffers(OutputForAnother):
    advice = "The file was hashed after another salt than the signature names; sign it again."


class V6Signature(msgspec.Struct, frozen=True):
    """A taken-apart signature packet. hashed: type → body; suffix: what is hashed after the data; quick: the digest's
    first two bytes, as the packet repeats them; raw: as the HSM gave it."""

    kind: int
    created_at: int
    hashed: dict[int, bytes]
    suffix: bytes
    quick: bytes
    salt: bytes
    raw: bytes


def read_v6_document(
    text: bytes, salt: bytes, state: FileHash, key: KeyRecord, at: int | None, *, kind: int = 0x00
) -> Claim:
    """The claim of an armoured detached signature.

    Args:
        salt, state: of salt and file, one after the other; at: the time it must carry, in seconds since 1970; kind:
            0x00 a binary document, 0x01 a canonical text.

    Raises:
        OpenpgpMalformed, OpenpgpKeyDiffers, OpenpgpTimeDiffers, OpenpgpSaltDiffers, OpenpgpDigestDiffers.
    """
    signature = read_v6_packet(_only_signature(text), key)
    if signature.kind != kind or set(signature.hashed) != {2, 33}:
        raise OpenpgpMalformed("It is not a plain signature over a document of this kind.")
    if at is not None and signature.created_at != at:
        raise OpenpgpTimeDiffers("The signature carries another time.")
    if signature.salt != salt:
        raise OpenpgpSaltDiffers("The signature names another salt.")
    return v6_claim(signature, state.with_suffix(signature.suffix).digest(), key)


def v6_claim(signature: V6Signature, digest: bytes, key: KeyRecord) -> Claim:
    """digest: SHA-256 over salt, data and suffix. Raises OpenpgpDigestDiffers."""
    if signature.quick != digest[:2]:
        raise OpenpgpDigestDiffers("It is not what was signed: the signature repeats the start of another digest.")
    return Claim(digest, "none" if key.kind == "ed25519" else "sha256", signature.raw)


def salt_of_v6(text: bytes) -> bytes:
    """The salt that an armoured signature names. Raises OpenpgpMalformed."""
    return _begun(_only_signature(text))[4]


def read_v6_packet(body: bytes, key: KeyRecord) -> V6Signature:
    """Takes a signature packet apart; issuer and algorithm must be the pinned key's.

    Raises:
        OpenpgpMalformed, OpenpgpKeyDiffers.
    """
    kind, algorithm, area, quick, salt, rest = _begun(body)
    hashed = read_subpackets(area)
    if len(hashed.get(2, b"")) != 4:
        raise OpenpgpMalformed("The signature lacks its time.")
    issuer = b"\x06" + hashlib.sha256(v6_framed(pinned_v6_body(key))).digest()
    if algorithm != _ALGORITHMS[key.kind] or hashed.get(33) != issuer:
        raise OpenpgpKeyDiffers(f"The signature does not name the key {key.name!r}.")
    created_at = int.from_bytes(hashed[2], "big")
    if created_at < key.created_at:
        raise OpenpgpMalformed("The signature is older than its key.")
    cursor = Cursor(rest, OpenpgpMalformed)
    raw = cursor.take(64) if algorithm == 27 else b"".join([read_mpi(cursor, width) for width in _WIDTHS[algorithm]])
    cursor.end()
    head = body[: 8 + len(area)]
    return V6Signature(kind, created_at, hashed, head + b"\x06\xff" + len(head).to_bytes(4, "big"), quick, salt, raw)


def _only_signature(text: bytes) -> bytes:
    found = packets(dearmor(text, "SIGNATURE", checksum=False))
    if [tag for tag, _ in found] != [2]:
        raise OpenpgpMalformed("The armour holds something else than one signature.")
    return found[0][1]


def _begun(body: bytes) -> tuple[int, int, bytes, bytes, bytes, bytes]:
    """Type, algorithm, hashed area, quick check, salt, and what follows."""
    cursor = Cursor(body, OpenpgpMalformed)
    version, kind, algorithm, hash_ = cursor.take(4)
    area = cursor.sized(4)
    unhashed, quick, salt = cursor.sized(4), cursor.take(2), cursor.sized(1)
    if (version, hash_, unhashed, len(salt)) != (6, 8, b"", 16):
        raise OpenpgpMalformed("It is not a version 6 signature with SHA-256 as the service makes it.")
    return kind, algorithm, area, quick, salt, cursor.take(cursor.left)


@functools.lru_cache(maxsize=256)
def pinned_v6_body(key: KeyRecord) -> bytes:
    """The public-key packet that the pinned key must have."""
    if key.kind == "ed25519":
        material, algorithm = load_public(key).public_bytes(Encoding.Raw, PublicFormat.Raw), b"\x1b"
    else:
        older = pinned_key_body(key)
        material, algorithm = older[6:], older[5:6]
    time = key.created_at.to_bytes(4, "big")
    return b"\x06%b%b%b%b" % (time, algorithm, len(material).to_bytes(4, "big"), material)


def v6_framed(body: bytes) -> bytes:
    """The body of a version 6 key packet as signatures and fingerprints hash it."""
    return b"\x9b" + len(body).to_bytes(4, "big") + body
