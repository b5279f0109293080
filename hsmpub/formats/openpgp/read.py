"""Reads OpenPGP version 4 signatures and compares all that they say with the pinned key. Builds nothing.

Source: RFC 4880, 5.2.3, 5.2.4 and 12.2; RFC 6637, section 9.
"""

from __future__ import annotations

import functools
import hashlib

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from hsmpub.formats.cursor import Cursor
from hsmpub.formats.format import Claim, OutputForAnother
from hsmpub.formats.openpgp.parse import OpenpgpMalformed, dearmor, packets, read_mpi, read_subpackets
from hsmpub.formats.public_key import PublicKeyUnfit, load_encryption_key, load_public
from hsmpub.formats.sha256state import FileHash
from hsmpub.model.key import DECRYPTS, KeyRecord


class OpenpgpKeyDiffers(OutputForAnother):
    advice = "It names another OpenPGP key than the one pinned for this service."


class OpenpgpTimeDiffers(OutputForAnother):
    pass


class OpenpgpDigestDiffers(OutputForAnother):
    advice = "It was made for a file with other content."


class PgpSignature(msgspec.Struct, frozen=True):
    """A taken-apart signature packet. hashed: type → body; suffix: what is hashed after the data; raw: as the HSM
    gave it; quick: the first two bytes of the digest, as the packet repeats them."""

    kind: int
    created_at: int
    hashed: dict[int, bytes]
    suffix: bytes
    quick: bytes
    raw: bytes


def read_document_signature(text: bytes, state: FileHash, key: KeyRecord, at: int | None, *, kind: int = 0x00) -> Claim:
    """The claim of an armoured detached signature.

    Args:
        at: the time it must carry, in seconds since 1970; kind: 0x00 a binary document, 0x01 a canonical text.

    Raises:
        OpenpgpMalformed, OpenpgpKeyDiffers, OpenpgpTimeDiffers, OpenpgpDigestDiffers.
    """
    found = packets(dearmor(text, "SIGNATURE"))
    if len(found) != 1 or found[0][0] != 2:
        raise OpenpgpMalformed("The armour holds something else than one signature.")
    return read_document_packet(found[0][1], state, key, at, kind=kind)


def read_document_packet(body: bytes, state: FileHash, key: KeyRecord, at: int | None, *, kind: int = 0x00) -> Claim:
    """Likewise, of the body of a signature packet."""
    signature = read_signature_packet(body, key)
    if signature.kind != kind or set(signature.hashed) != {2, 33}:
        raise OpenpgpMalformed("It is not a plain signature over a document of this kind.")
    if at is not None and signature.created_at != at:
        raise OpenpgpTimeDiffers("The signature carries another time.")
    return claim_of(signature, state.with_suffix(signature.suffix).digest())


def claim_of(signature: PgpSignature, digest: bytes) -> Claim:
    """digest: SHA-256 over data and suffix. Raises OpenpgpDigestDiffers."""
    if signature.quick != digest[:2]:
        raise OpenpgpDigestDiffers("It is not what was signed: the signature repeats the start of another digest.")
    return Claim(digest, "sha256", signature.raw)


def read_signature_packet(body: bytes, key: KeyRecord) -> PgpSignature:
    """Takes a signature packet apart; issuer and algorithm must be the pinned key's.

    Raises:
        OpenpgpMalformed, OpenpgpKeyDiffers.
    """
    cursor = Cursor(body, OpenpgpMalformed)
    version, kind, algorithm, hash_ = cursor.take(4)
    area = cursor.sized(2)
    unhashed = read_subpackets(cursor.sized(2))
    quick = cursor.take(2)
    hashed = read_subpackets(area)
    if (version, hash_) != (4, 8):
        raise OpenpgpMalformed("It is not a version 4 signature with SHA-256.")
    if len(hashed.get(2, b"")) != 4 or set(unhashed) != {16}:
        raise OpenpgpMalformed("The signature lacks its time or its issuer.")
    expected = pinned_fingerprint(key)
    issuers = (hashed.get(33), unhashed[16])
    if algorithm != (1 if key.kind == "rsa3072" else 19) or issuers != (b"\x04" + expected, expected[12:]):
        raise OpenpgpKeyDiffers(f"The signature does not name the key {key.name!r}.")
    created_at = int.from_bytes(hashed[2], "big")
    if created_at < key.created_at:
        raise OpenpgpMalformed("The signature is older than its key.")
    widths = (384,) if algorithm == 1 else (32, 32)
    raw = b"".join([read_mpi(cursor, width) for width in widths])
    cursor.end()
    signed_head = body[: 6 + len(area)]
    suffix = signed_head + bytes((4, 255)) + len(signed_head).to_bytes(4, "big")
    return PgpSignature(kind, created_at, hashed, suffix, quick, raw)


@functools.lru_cache(maxsize=256)
def pinned_key_body(key: KeyRecord) -> bytes:
    """The public-key packet that the pinned key must have."""
    public = load_encryption_key(key) if key.kind == DECRYPTS else load_public(key)
    if isinstance(public, RSAPublicKey):
        pair = public.public_numbers()
        material = b"\x01" + _spelled(pair.n) + _spelled(pair.e)
    elif isinstance(public, EllipticCurvePublicKey):
        point = public.public_numbers()
        material = bytes.fromhex("13 08 2a8648ce3d030107") + _spelled(4 << 512 | point.x << 256 | point.y)
    else:
        raise PublicKeyUnfit(f"The key {key.name!r} is no OpenPGP key.")
    return b"\x04" + key.created_at.to_bytes(4, "big") + material


@functools.lru_cache(maxsize=256)
def pinned_fingerprint(key: KeyRecord) -> bytes:
    """20 bytes."""
    body = pinned_key_body(key)
    return hashlib.sha1(bytes((0x99, len(body) >> 8, len(body) & 255)) + body, usedforsecurity=False).digest()


def _spelled(number: int) -> bytes:
    bits = number.bit_length()
    return bits.to_bytes(2, "big") + number.to_bytes((bits + 7) // 8, "big")
