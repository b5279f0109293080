"""Checks OpenPGP version 6 certificates, vouchings and revocations, apart from the code that builds them."""

from __future__ import annotations

import hashlib

from hsmpub.formats.openpgp.certificate_read import CertificateFacts
from hsmpub.formats.openpgp.parse import OpenpgpMalformed, dearmor, packets
from hsmpub.formats.openpgp.read import OpenpgpKeyDiffers
from hsmpub.formats.openpgp.v6_read import V6Signature, pinned_v6_body, read_v6_packet, v6_claim, v6_framed
from hsmpub.formats.public_key import check_claim
from hsmpub.model.key import KeyRecord


def check_v6_certificate(armored: str, key: KeyRecord) -> CertificateFacts:
    """Verifies that the pinned key says what it is for, which is to certify and sign, and what it is called.

    Raises:
        OpenpgpMalformed, OpenpgpKeyDiffers, OpenpgpDigestDiffers, SignatureDoesNotVerify.
    """
    direct, name, naming = _of(armored, key, (2, 13, 2))
    uses = _checked(direct, key, 0x1F, b"")
    if set(uses.hashed) - {9} != {2, 21, 27, 33} or uses.hashed[27] != b"\x03":
        raise OpenpgpMalformed("The key does not say that it certifies and signs.")
    called = _checked(naming, key, 0x13, _called(name))
    if set(called.hashed) != {2, 33}:
        raise OpenpgpMalformed("The key says more of its name than that it is its own.")
    try:
        user_id = name.decode()
    except UnicodeDecodeError:
        raise OpenpgpMalformed("The user id is not UTF-8.") from None
    lifetime = int.from_bytes(uses.hashed.get(9, b""), "big")
    return CertificateFacts(user_id, uses.created_at, key.created_at + lifetime if lifetime else 0)


def check_v6_vouching(armored: str, key: KeyRecord, by: KeyRecord) -> None:
    """The certificate of `key` ends with a signature by which `by` vouches for it. Its own are not looked at.

    Raises:
        OpenpgpMalformed, OpenpgpKeyDiffers, OpenpgpDigestDiffers, SignatureDoesNotVerify.
    """
    _, name, _, vouching = _of(armored, key, (2, 13, 2, 2))
    if set(_checked(vouching, by, 0x10, _called(name), of=key).hashed) != {2, 33}:
        raise OpenpgpMalformed("It does not just vouch for a key and its user id.")


def check_v6_revocation(armored: str, key: KeyRecord) -> tuple[int, str]:
    """The key itself says that it signs no more. Returns: the code of the reason (RFC 9580, 5.2.3.31), its sentence.

    Raises:
        OpenpgpMalformed, OpenpgpKeyDiffers, OpenpgpDigestDiffers, SignatureDoesNotVerify.
    """
    [body] = _of(armored, key, (2,))
    signature = _checked(body, key, 0x20, b"")
    why = signature.hashed.get(29, b"")
    if set(signature.hashed) != {2, 29, 33} or not why:
        raise OpenpgpMalformed("It does not revoke a key for a reason.")
    return why[0], why[1:].decode(errors="replace")


def _of(armored: str, key: KeyRecord, tags: tuple[int, ...]) -> list[bytes]:
    """The bodies of what follows the pinned key's own packet."""
    try:
        found = packets(dearmor(armored.encode(), "PUBLIC KEY BLOCK", checksum=False))
    except UnicodeEncodeError:
        raise OpenpgpMalformed("The certificate is not plain text.") from None
    if tuple(tag for tag, _ in found) != (6, *tags):
        raise OpenpgpMalformed("It is not a key and what the service writes behind it.")
    bodies = [body for _, body in found]
    if bodies[0] != pinned_v6_body(key):
        raise OpenpgpKeyDiffers(f"The certificate is not of the key {key.name!r}.")
    return bodies[1:]


def _checked(body: bytes, key: KeyRecord, kind: int, signed: bytes, *, of: KeyRecord | None = None) -> V6Signature:
    """key: that signed; of: the one that it speaks of, if not itself."""
    found = read_v6_packet(body, key)
    if found.kind != kind:
        raise OpenpgpMalformed("A signature is of another type than it should be.")
    data = found.salt + v6_framed(pinned_v6_body(of or key)) + signed + found.suffix
    check_claim(v6_claim(found, hashlib.sha256(data).digest(), key), key)
    return found


def _called(name: bytes) -> bytes:
    return b"\xb4%b%b" % (len(name).to_bytes(4, "big"), name)
