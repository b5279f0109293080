"""Checks the OpenPGP certificate of a key, apart from the code that builds it."""

from __future__ import annotations

import hashlib

import msgspec

from hsmpub.formats.openpgp.parse import OpenpgpMalformed, dearmor, packets
from hsmpub.formats.openpgp.read import OpenpgpKeyDiffers, claim_of, pinned_key_body, read_signature_packet
from hsmpub.formats.public_key import check_claim
from hsmpub.model.key import KeyRecord


class CertificateFacts(msgspec.Struct, frozen=True):
    """What a checked certificate says. Times in seconds since 1970; expires_at 0: never."""

    user_id: str
    certified_at: int
    expires_at: int


def check_certificate(armored: str, key: KeyRecord) -> CertificateFacts:
    """Verifies that the pinned key vouches for one user id, and may certify and sign.

    Raises:
        OpenpgpMalformed, OpenpgpKeyDiffers, OpenpgpDigestDiffers, SignatureDoesNotVerify.
    """
    try:
        found = packets(dearmor(armored.encode(), "PUBLIC KEY BLOCK"))
    except UnicodeEncodeError:
        raise OpenpgpMalformed("The certificate is not plain text.") from None
    if [tag for tag, _ in found] != [6, 13, 2]:
        raise OpenpgpMalformed("It is not a key, one user id and one self-signature.")
    (_, body), (_, name), (_, signature_body) = found
    if body != pinned_key_body(key):
        raise OpenpgpKeyDiffers(f"The certificate is not of the key {key.name!r}.")
    signature = read_signature_packet(signature_body, key)
    if signature.kind != 0x13 or set(signature.hashed) - {9} != {2, 21, 27, 33} or signature.hashed[27] != b"\x03":
        raise OpenpgpMalformed("The self-signature does not say that the key certifies and signs.")
    hasher = hashlib.sha256(b"\x99%b%b" % (len(body).to_bytes(2, "big"), body))
    hasher.update(b"\xb4%b%b%b" % (len(name).to_bytes(4, "big"), name, signature.suffix))
    check_claim(claim_of(signature, hasher.digest()), key)
    try:
        user_id = name.decode()
    except UnicodeDecodeError:
        raise OpenpgpMalformed("The user id is not UTF-8.") from None
    lifetime = int.from_bytes(signature.hashed.get(9, b""), "big")
    return CertificateFacts(user_id, signature.created_at, key.created_at + lifetime if lifetime else 0)
