"""Checks certificates and signatures of OpenPGP version 6, apart from the code that builds them.

Source: RFC 9580, 5.2.3, 5.2.4 and 5.5.4.3.
"""

from __future__ import annotations

import hashlib

import msgspec

from hsmpub.formats.cursor import Cursor
from hsmpub.formats.format import Claim
from hsmpub.formats.openpgp_parse import OpenpgpMalformed, dearmor, packets, read_mpi, read_subpackets
from hsmpub.formats.openpgp_read import OpenpgpDigestDiffers, OpenpgpKeyDiffers, pinned_key_body
from hsmpub.formats.public_key import check_claim
from hsmpub.model.key import KeyRecord


class _Signature(msgspec.Struct, frozen=True):
    """hashed: type → body; suffix: what is hashed after the data; quick: the digest's first two bytes."""

    kind: int
    hashed: dict[int, bytes]
    suffix: bytes
    quick: bytes
    salt: bytes
    raw: bytes


def check_v6_certificate(armored: str, key: KeyRecord) -> str:
    """Verifies that the pinned key says what it is for and what it is called. Returns the user id.

    Raises:
        OpenpgpMalformed, OpenpgpKeyDiffers, OpenpgpDigestDiffers, SignatureDoesNotVerify.
    """
    try:
        found = packets(dearmor(armored.encode(), "PUBLIC KEY BLOCK", checksum=False))
    except UnicodeEncodeError:
        raise OpenpgpMalformed("The certificate is not plain text.") from None
    if [tag for tag, _ in found] != [6, 2, 13, 2]:
        raise OpenpgpMalformed("It is not a key with its uses, and one user id with its signature.")
    (_, body), (_, direct), (_, name), (_, naming) = found
    if body != _pinned_body(key):
        raise OpenpgpKeyDiffers(f"The certificate is not of the key {key.name!r}.")
    framed = _framed(body)
    uses = _checked(direct, key, 0x1F, {2, 21, 27, 33}, framed)
    if uses.hashed[27] != b"\x03":
        raise OpenpgpMalformed("The key is for something else than certifying and signing.")
    _checked(naming, key, 0x13, {2, 33}, framed + b"\xb4" + len(name).to_bytes(4, "big") + name)
    try:
        return name.decode()
    except UnicodeDecodeError:
        raise OpenpgpMalformed("The user id is not UTF-8.") from None


def check_v6_signature(armored: bytes, document: bytes, key: KeyRecord) -> None:
    """Verifies a detached signature over a document that is at hand.

    Raises:
        OpenpgpMalformed, OpenpgpKeyDiffers, OpenpgpDigestDiffers, SignatureDoesNotVerify.
    """
    found = packets(dearmor(armored, "SIGNATURE", checksum=False))
    if [tag for tag, _ in found] != [2]:
        raise OpenpgpMalformed("The armour holds something else than one signature.")
    _checked(found[0][1], key, 0x00, {2, 33}, document)


def _checked(body: bytes, key: KeyRecord, kind: int, says: set[int], signed: bytes) -> _Signature:
    found = _read(body, key)
    if found.kind != kind or set(found.hashed) - ({9} if kind == 0x1F else set()) != says:
        raise OpenpgpMalformed("A signature says something else than it should.")
    digest = hashlib.sha256(found.salt + signed + found.suffix).digest()
    if found.quick != digest[:2]:
        raise OpenpgpDigestDiffers("The signature repeats the start of another digest.")
    check_claim(Claim(digest, "sha256", found.raw), key)
    return found


def _read(body: bytes, key: KeyRecord) -> _Signature:
    cursor = Cursor(body, OpenpgpMalformed)
    version, kind, algorithm, hash_ = cursor.take(4)
    area = cursor.sized(4)
    unhashed, quick, salt = cursor.sized(4), cursor.take(2), cursor.sized(1)
    hashed = read_subpackets(area)
    if (version, hash_, unhashed, len(salt)) != (6, 8, b"", 16) or len(hashed.get(2, b"")) != 4:
        raise OpenpgpMalformed("It is not a version 6 signature with SHA-256 as the service makes it.")
    issuer = b"\x06" + hashlib.sha256(_framed(_pinned_body(key))).digest()
    if algorithm != (1 if key.kind == "rsa3072" else 19) or hashed.get(33) != issuer:
        raise OpenpgpKeyDiffers(f"The signature does not name the key {key.name!r}.")
    raw = b"".join([read_mpi(cursor, width) for width in ((384,) if algorithm == 1 else (32, 32))])
    cursor.end()
    head = body[: 8 + len(area)]
    return _Signature(kind, hashed, head + b"\x06\xff" + len(head).to_bytes(4, "big"), quick, salt, raw)


def _framed(body: bytes) -> bytes:
    return b"\x9b" + len(body).to_bytes(4, "big") + body


def _pinned_body(key: KeyRecord) -> bytes:
    older = pinned_key_body(key)
    return b"\x06%b%b%b" % (older[1:6], (len(older) - 6).to_bytes(4, "big"), older[6:])
