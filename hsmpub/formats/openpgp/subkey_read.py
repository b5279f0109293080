"""Checks certificates with a signing subkey, and revocations of the subkey, apart from the code that builds them."""

from __future__ import annotations

import hashlib

import msgspec

from hsmpub.formats.openpgp.parse import OpenpgpMalformed, dearmor, framed, packets
from hsmpub.formats.openpgp.read import (
    OpenpgpKeyDiffers,
    PgpSignature,
    claim_of,
    pinned_key_body,
    read_signature_packet,
)
from hsmpub.formats.public_key import check_claim
from hsmpub.model.key import KeyRecord


class SigningCertificateFacts(msgspec.Struct, frozen=True):
    """What a checked certificate says. Times in seconds since 1970; expires_at and key_expires_at 0: never."""

    user_id: str
    certified_at: int
    expires_at: int
    key_expires_at: int


def check_signing_certificate(armored: str, primary: KeyRecord, key: KeyRecord) -> SigningCertificateFacts:
    """Verifies that the pinned primary key, under one user id, vouches for the pinned key, which agrees, for signing.

    Raises:
        OpenpgpMalformed, OpenpgpKeyDiffers, OpenpgpDigestDiffers, SignatureDoesNotVerify.
    """
    found = _packets(armored)
    if [tag for tag, _ in found] != [6, 13, 2, 14, 2]:
        raise OpenpgpMalformed("It is not a key, one user id and one subkey, each with its signature.")
    (_, own), (_, name), (_, naming), (_, subkey), (_, binding) = found
    _check_keys(own, subkey, primary, key)
    named = b"\xb4%b%b" % (len(name).to_bytes(4, "big"), name)
    called = _checked(naming, primary, 0x13, {2, 21, 27, 33}, framed(own) + named)
    bound = _checked(binding, primary, 0x18, {2, 27, 32, 33}, framed(own) + framed(subkey))
    _checked(bound.hashed[32], key, 0x19, {2, 33}, framed(own) + framed(subkey))
    if (called.hashed[27], bound.hashed[27]) != (b"\x01", b"\x02"):
        raise OpenpgpMalformed("The certificate gives its keys other uses than certifying and signing.")
    try:
        user_id = name.decode()
    except UnicodeDecodeError:
        raise OpenpgpMalformed("The user id is not UTF-8.") from None
    return SigningCertificateFacts(user_id, called.created_at, _expiry(called, primary), _expiry(bound, key))


def check_subkey_revocation(armored: str, primary: KeyRecord, key: KeyRecord) -> tuple[int, str]:
    """The primary key says that the subkey signs no more. Returns: the code of the reason (RFC 4880, 5.2.3.23), and a
    sentence.

    Raises:
        OpenpgpMalformed, OpenpgpKeyDiffers, OpenpgpDigestDiffers, SignatureDoesNotVerify.
    """
    found = _packets(armored)
    if [tag for tag, _ in found] != [6, 14, 2]:
        raise OpenpgpMalformed("It is not a key, its subkey and one signature.")
    (_, own), (_, subkey), (_, body) = found
    _check_keys(own, subkey, primary, key)
    signature = _checked(body, primary, 0x28, {2, 29, 33}, framed(own) + framed(subkey))
    why = signature.hashed[29]
    if not why:
        raise OpenpgpMalformed("The revocation has no reason.")
    return why[0], why[1:].decode(errors="replace")


def _packets(armored: str) -> list[tuple[int, bytes]]:
    try:
        return packets(dearmor(armored.encode(), "PUBLIC KEY BLOCK"))
    except UnicodeEncodeError:
        raise OpenpgpMalformed("The certificate is not plain text.") from None


def _check_keys(own: bytes, subkey: bytes, primary: KeyRecord, key: KeyRecord) -> None:
    if (own, subkey) != (pinned_key_body(primary), pinned_key_body(key)):
        raise OpenpgpKeyDiffers(f"The certificate is not of the keys {primary.name!r} and {key.name!r}.")


def _checked(body: bytes, by: KeyRecord, kind: int, says: set[int], signed: bytes) -> PgpSignature:
    """The signature, verified; it says these things and perhaps when a key expires (9)."""
    signature = read_signature_packet(body, by)
    may_expire = {9} if kind in (0x13, 0x18) else set()
    if signature.kind != kind or set(signature.hashed) - may_expire != says:
        raise OpenpgpMalformed("A signature of the certificate says something else than it should.")
    check_claim(claim_of(signature, hashlib.sha256(signed + signature.suffix).digest()), by)
    return signature


def _expiry(signature: PgpSignature, key: KeyRecord) -> int:
    lifetime = int.from_bytes(signature.hashed.get(9, b""), "big")
    return key.created_at + lifetime if lifetime else 0
