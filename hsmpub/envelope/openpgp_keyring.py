"""Which key of somebody's OpenPGP certificate a file is encrypted to.

Signatures in the certificate are not verified: they only help to choose. What counts is the fingerprint of the key
that was chosen, which stands in the request and which approvers compare with one that they know.
Source: RFC 4880, 5.2.1, 5.2.3.6 (expiration), 5.2.3.21 (flags), 6.2 (armour).
"""

from __future__ import annotations

import binascii
import hashlib
import re
from dataclasses import dataclass

from hsmpub.envelope.header import Bytes
from hsmpub.envelope.openpgp import read_packet_head
from hsmpub.envelope.openpgp_recipient import ECDH, RSA, RSA_ENCRYPT, recipient_of_key
from hsmpub.envelope.recipient import Recipient
from hsmpub.envelope.rules import HeaderMalformed, RecipientRefused
from hsmpub.formats.openpgp.key import framed

_SIGNATURE, _PRIMARY, _SUBKEY = 2, 6, 14
_REVOKES = (0x20, 0x28)
_BINDS = (0x10, 0x11, 0x12, 0x13, 0x18, 0x1F)
_MAY_ENCRYPT = 0x0C
_ARMOUR = re.compile(
    rb"-----BEGIN PGP PUBLIC KEY BLOCK-----\r?\n(?:[^\r\n]+\r?\n)*\r?\n(?P<body>[A-Za-z0-9+/=\r\n]+?)\r?\n"
    rb"(?:=[A-Za-z0-9+/]{4}\r?\n)?-----END PGP PUBLIC KEY BLOCK-----"
)
MAX_CERTIFICATE_BYTES = 1 << 20


@dataclass
class _Key:
    body: bytes
    flags: int = 0
    lifetime: int = 0
    revoked: bool = False
    bound: bool = False

    @property
    def created_at(self) -> int:
        return int.from_bytes(self.body[1:5], "big")

    @property
    def fingerprint(self) -> bytes:
        return hashlib.sha1(framed(self.body), usedforsecurity=False).digest()


def recipient_of_certificate(certificate: bytes, *, now: int) -> Recipient:
    """The newest key in a certificate that may encrypt.

    Args:
        certificate: as `gpg --export` writes it, armoured or not.
        now: seconds since 1970, for what has expired.

    Raises:
        RecipientRefused: no such key, several certificates, or damaged.
    """
    if len(certificate) > MAX_CERTIFICATE_BYTES:
        raise RecipientRefused("The OpenPGP certificate is too large.")
    try:
        keys = _read_keys(_dearmoured(certificate))
    except (HeaderMalformed, binascii.Error, ValueError):
        raise RecipientRefused("The OpenPGP certificate cannot be read.") from None
    if keys and keys[0].revoked:
        raise RecipientRefused("The OpenPGP certificate is revoked.")
    fit = [key for key in keys if _is_fit(key, now)]
    if not fit:
        raise RecipientRefused("The OpenPGP certificate has no key that may encrypt now.")
    return recipient_of_key(max(fit, key=lambda key: key.created_at).body)


def _is_fit(key: _Key, now: int) -> bool:
    known = key.body[:1] == b"\x04" and key.body[5:6] in (bytes((n,)) for n in (RSA, RSA_ENCRYPT, ECDH))
    expired = key.lifetime and key.created_at + key.lifetime <= now
    return bool(known and key.bound and key.flags & _MAY_ENCRYPT and not key.revoked and not expired)


def _dearmoured(certificate: bytes) -> bytes:
    found = _ARMOUR.search(certificate)
    return binascii.a2b_base64(found["body"]) if found else certificate


def _read_keys(data: bytes) -> list[_Key]:
    source, keys = Bytes(data), list[_Key]()
    while source.left:
        tag, length = read_packet_head(source)
        if length is None:
            raise HeaderMalformed("A packet of a certificate has no length.")
        body = source.take(length)
        if tag == _PRIMARY and keys:
            raise RecipientRefused("There are several OpenPGP certificates in one file.")
        if tag in (_PRIMARY, _SUBKEY):
            keys.append(_Key(body))
        elif tag == _SIGNATURE and keys:
            _note(keys, body)
    return keys


def _note(keys: list[_Key], body: bytes) -> None:
    """What a signature says of the key before it; those of strangers say nothing."""
    if len(body) < 6 or body[0] != 4:
        return
    kind, key = body[1], keys[-1]
    source = Bytes(body, 4)
    hashed = Bytes(source.take(source.number(2)))
    unhashed = Bytes(source.take(source.number(2)))
    said = {**_subpackets(unhashed), **_subpackets(hashed)}
    if said.get(16, keys[0].fingerprint[-8:]) != keys[0].fingerprint[-8:]:
        return
    if kind in _REVOKES:
        key.revoked = True
    elif kind in _BINDS:
        key.bound = True
        key.flags |= said[27][0] if said.get(27) else 0
        key.lifetime = int.from_bytes(said.get(9, b""), "big")


def _subpackets(area: Bytes) -> dict[int, bytes]:
    found = {}
    while area.left:
        first = area.number(1)
        if 192 <= first < 255:
            first = (first - 192 << 8) + area.number(1) + 192
        elif first == 255:
            first = area.number(4)
        body = area.take(first)
        if body:
            found[body[0] & 0x7F] = body[1:]
    return found
