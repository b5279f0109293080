"""Checks vouchings and revocations of OpenPGP keys, apart from the code that builds them."""

from __future__ import annotations

import hashlib

from hsmpub.formats.openpgp.parse import OpenpgpMalformed, dearmor, framed, packets
from hsmpub.formats.openpgp.read import OpenpgpKeyDiffers, claim_of, pinned_key_body, read_signature_packet
from hsmpub.formats.public_key import check_claim
from hsmpub.model.key import KeyRecord


def check_vouching(armored: str, key: KeyRecord, by: KeyRecord) -> None:
    """The certificate of `key` ends with a signature by which `by` vouches for it. Its self-signature is not looked at.

    Raises:
        OpenpgpMalformed, OpenpgpKeyDiffers, OpenpgpDigestDiffers, SignatureDoesNotVerify.
    """
    found = packets(dearmor(armored.encode(), "PUBLIC KEY BLOCK"))
    if [tag for tag, _ in found] != [6, 13, 2, 2]:
        raise OpenpgpMalformed("It is not a key, one user id and two signatures.")
    body, name = found[0][1], found[1][1]
    if body != pinned_key_body(key):
        raise OpenpgpKeyDiffers(f"The certificate is not of the key {key.name!r}.")
    signature = read_signature_packet(found[3][1], by)
    if signature.kind != 0x10 or set(signature.hashed) != {2, 33}:
        raise OpenpgpMalformed("It does not vouch for a key and its user id.")
    hasher = hashlib.sha256(framed(body))
    hasher.update(b"\xb4%b%b%b" % (len(name).to_bytes(4, "big"), name, signature.suffix))
    check_claim(claim_of(signature, hasher.digest()), by)


def check_revocation(armored: str, key: KeyRecord) -> tuple[int, str]:
    """The key itself says that it signs no more. Returns: the code of the reason (RFC 4880, 5.2.3.23) and its sentence.

    Raises:
        OpenpgpMalformed, OpenpgpKeyDiffers, OpenpgpDigestDiffers, SignatureDoesNotVerify.
    """
    found = packets(dearmor(armored.encode(), "PUBLIC KEY BLOCK"))
    if [tag for tag, _ in found] != [2]:
        raise OpenpgpMalformed("It is not one signature.")
    signature = read_signature_packet(found[0][1], key)
    why = signature.hashed.get(29, b"")
    if signature.kind != 0x20 or set(signature.hashed) != {2, 29, 33} or not why:
        raise OpenpgpMalformed("It does not revoke a key for a reason.")
    digest = hashlib.sha256(framed(pinned_key_body(key)) + signature.suffix).digest()
    check_claim(claim_of(signature, digest), key)
    return why[0], why[1:].decode(errors="replace")
