"""Checks the OpenPGP certificate of a decryption key, apart from the code that builds it."""

from __future__ import annotations

import hashlib

from hsmpub.formats.openpgp.parse import OpenpgpMalformed, dearmor, framed, packets
from hsmpub.formats.openpgp.read import OpenpgpKeyDiffers, claim_of, pinned_key_body, read_signature_packet
from hsmpub.formats.public_key import check_claim
from hsmpub.model.key import KeyRecord


def check_encryption_certificate(armored: str, certifier: KeyRecord, key: KeyRecord) -> str:
    """Verifies that the pinned certifier, under one user id, vouches for the pinned key, for encryption alone.

    Returns:
        The user id.

    Raises:
        OpenpgpMalformed, OpenpgpKeyDiffers, OpenpgpDigestDiffers, SignatureDoesNotVerify.
    """
    try:
        found = packets(dearmor(armored.encode(), "PUBLIC KEY BLOCK"))
    except UnicodeEncodeError:
        raise OpenpgpMalformed("The certificate is not plain text.") from None
    if [tag for tag, _ in found] != [6, 13, 2, 14, 2]:
        raise OpenpgpMalformed("It is not a key, one user id and one subkey, each with its signature.")
    (_, primary), (_, name), (_, naming), (_, subkey), (_, binding) = found
    if (primary, subkey) != (pinned_key_body(certifier), pinned_key_body(key)):
        raise OpenpgpKeyDiffers(f"The certificate is not of the keys {certifier.name!r} and {key.name!r}.")
    framed_name = b"\xb4" + len(name).to_bytes(4, "big") + name
    _check(naming, certifier, 0x13, b"\x01", {2, 11, 27, 30, 33}, framed(primary) + framed_name)
    _check(binding, certifier, 0x18, b"\x0c", {2, 27, 33}, framed(primary) + framed(subkey))
    try:
        return name.decode()
    except UnicodeDecodeError:
        raise OpenpgpMalformed("The user id is not UTF-8.") from None


def _check(body: bytes, certifier: KeyRecord, kind: int, flags: bytes, says: set[int], signed: bytes) -> None:
    signature = read_signature_packet(body, certifier)
    if signature.kind != kind or set(signature.hashed) != says or signature.hashed[27] != flags:
        raise OpenpgpMalformed("A signature of the certificate says something else than it should.")
    check_claim(claim_of(signature, hashlib.sha256(signed + signature.suffix).digest()), certifier)
