"""Checks version 6 certificates with a signing subkey, and revocations of it, apart from the code that builds them."""

from __future__ import annotations

import hashlib

from hsmpub.formats.openpgp.parse import OpenpgpMalformed, dearmor, packets
from hsmpub.formats.openpgp.read import OpenpgpKeyDiffers
from hsmpub.formats.openpgp.subkey_read import SigningCertificateFacts
from hsmpub.formats.openpgp.v6_read import V6Signature, pinned_v6_body, read_v6_packet, v6_claim, v6_framed
from hsmpub.formats.public_key import check_claim
from hsmpub.model.key import KeyRecord


def check_v6_signing_certificate(armored: str, primary: KeyRecord, key: KeyRecord) -> SigningCertificateFacts:
    """Verifies that the pinned primary key certifies, under one user id, and vouches for the pinned key, which agrees,
    for signing.

    Raises:
        OpenpgpMalformed, OpenpgpKeyDiffers, OpenpgpDigestDiffers, SignatureDoesNotVerify.
    """
    own, direct, name, naming, subkey, binding = _bodies(armored, (6, 2, 13, 2, 14, 2))
    _check_keys(own, subkey, primary, key)
    both = v6_framed(own) + v6_framed(subkey)
    uses = _checked(direct, primary, 0x1F, {2, 21, 27, 33}, v6_framed(own))
    called = _checked(
        naming, primary, 0x13, {2, 33}, v6_framed(own) + b"\xb4%b%b" % (len(name).to_bytes(4, "big"), name)
    )
    bound = _checked(binding, primary, 0x18, {2, 27, 32, 33}, both)
    _checked(bound.hashed[32], key, 0x19, {2, 33}, both)
    if (uses.hashed[27], bound.hashed[27]) != (b"\x01", b"\x02"):
        raise OpenpgpMalformed("The certificate gives its keys other uses than certifying and signing.")
    try:
        user_id = name.decode()
    except UnicodeDecodeError:
        raise OpenpgpMalformed("The user id is not UTF-8.") from None
    return SigningCertificateFacts(user_id, called.created_at, _expiry(uses, primary), _expiry(bound, key))


def check_v6_subkey_revocation(armored: str, primary: KeyRecord, key: KeyRecord) -> tuple[int, str]:
    """The primary key says that the subkey signs no more. Returns: the code of the reason (RFC 9580, 5.2.3.31), and a
    sentence.

    Raises:
        OpenpgpMalformed, OpenpgpKeyDiffers, OpenpgpDigestDiffers, SignatureDoesNotVerify.
    """
    own, subkey, body = _bodies(armored, (6, 14, 2))
    _check_keys(own, subkey, primary, key)
    why = _checked(body, primary, 0x28, {2, 29, 33}, v6_framed(own) + v6_framed(subkey)).hashed[29]
    if not why:
        raise OpenpgpMalformed("The revocation has no reason.")
    return why[0], why[1:].decode(errors="replace")


def _bodies(armored: str, tags: tuple[int, ...]) -> list[bytes]:
    try:
        found = packets(dearmor(armored.encode(), "PUBLIC KEY BLOCK", checksum=False))
    except UnicodeEncodeError:
        raise OpenpgpMalformed("The certificate is not plain text.") from None
    if tuple(tag for tag, _ in found) != tags:
        raise OpenpgpMalformed("It is not a key, its subkey and what the service writes of them.")
    return [body for _, body in found]


def _check_keys(own: bytes, subkey: bytes, primary: KeyRecord, key: KeyRecord) -> None:
    if (own, subkey) != (pinned_v6_body(primary), pinned_v6_body(key)):
        raise OpenpgpKeyDiffers(f"The certificate is not of the keys {primary.name!r} and {key.name!r}.")


def _checked(body: bytes, by: KeyRecord, kind: int, says: set[int], signed: bytes) -> V6Signature:
    """The signature, verified; it says these things and perhaps when a key expires (9)."""
    signature = read_v6_packet(body, by)
    may_expire = {9} if kind in (0x18, 0x1F) else set()
    if signature.kind != kind or set(signature.hashed) - may_expire != says:
        raise OpenpgpMalformed("A signature of the certificate says something else than it should.")
    digest = hashlib.sha256(signature.salt + signed + signature.suffix).digest()
    check_claim(v6_claim(signature, digest, by), by)
    return signature


def _expiry(signature: V6Signature, key: KeyRecord) -> int:
    lifetime = int.from_bytes(signature.hashed.get(9, b""), "big")
    return key.created_at + lifetime if lifetime else 0
