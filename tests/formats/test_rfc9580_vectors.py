"""What RFC 9580 shows in its appendix: its key, certificate and signed text, as this code hashes them.

They are signed after SHA-512 with longer salts, which the service never makes and its readers refuse; what is hashed,
and in which order, is the same.
"""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hsmpub.formats.openpgp.parse import dearmor, packets
from hsmpub.formats.openpgp.text import canonical, read_text
from hsmpub.formats.openpgp.v6_certificate import openpgp_v6_fingerprint
from hsmpub.formats.openpgp.v6_key import v6_framed_key
from hsmpub.formats.openpgp.v6_read import pinned_v6_body, v6_framed
from hsmpub.formats.openpgp.v6_signature import v6_trailer
from hsmpub.formats.source import BytesSource
from hsmpub.model.key import KeyRecord

#: A.3: an Ed25519 key, a signature on it alone, and an X25519 subkey.
CERTIFICATE = b"""-----BEGIN PGP PUBLIC KEY BLOCK-----

xioGY4d/4xsAAAAg+U2nu0jWCmHlZ3BqZYfQMxmZu52JGggkLq2EVD34laPCsQYf
GwoAAABCBYJjh3/jAwsJBwUVCg4IDAIWAAKbAwIeCSIhBssYbE8GCaaX5NUt+mxy
KwwfHifBilZwj2Ul7Ce62azJBScJAgcCAAAAAK0oIBA+LX0ifsDm185Ecds2v8lw
gyU2kCcUmKfvBXbAf6rhRYWzuQOwEn7E/aLwIwRaLsdry0+VcallHhSu4RN6HWaE
QsiPlR4zxP/TP7mhfVEe7XWPxtnMUMtf15OyA51YBM4qBmOHf+MZAAAAIIaTJINn
+eUBXbki+PSAld2nhJh/LVmFsS+60WyvXkQ1wpsGGBsKAAAALAWCY4d/4wKbDCIh
BssYbE8GCaaX5NUt+mxyKwwfHifBilZwj2Ul7Ce62azJAAAAAAQBIKbpGG2dWTX8
j+VjFM21J0hqWlEg+bdiojWnKfA5AQpWUWtnNwDEM0g12vYxoWM8Y81W+bHBw805
I8kWVkXU6vFOi+HWvv/ira7ofJu16NnoUkhclkUrk0mXubZvyl4GBg==
-----END PGP PUBLIC KEY BLOCK-----
"""
#: A.6.
TEXT = b"""-----BEGIN PGP SIGNED MESSAGE-----

What we need from the grocery store:

- - tofu
- - vegetables
- - noodles

-----BEGIN PGP SIGNATURE-----

wpgGARsKAAAAKQWCY5ijYyIhBssYbE8GCaaX5NUt+mxyKwwfHifBilZwj2Ul7Ce6
2azJAAAAAGk2IHZJX1AhiJD39eLuPBgiUU9wUA9VHYblySHkBONKU/usJ9BvuAqo
/FvLFuGWMbKAdA+epq7V4HOtAPlBWmU8QOd6aud+aSunHQaaEJ+iTFjP2OMW0KBr
NK2ay45cX1IVAQ==
-----END PGP SIGNATURE-----
"""
FINGERPRINT = "CB186C4F0609A697E4D52DFA6C722B0C1F1E27C18A56708F6525EC27BAD9ACC9"
PACKETS = [body for _, body in packets(dearmor(CERTIFICATE, "PUBLIC KEY BLOCK", checksum=False))]


@pytest.fixture(scope="module")
def key() -> KeyRecord:
    public = Ed25519PublicKey.from_public_bytes(PACKETS[0][10:])
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return KeyRecord("rfc9580", "ed25519", pem, int.from_bytes(PACKETS[0][1:5], "big"))


def verify(key: KeyRecord, signature: bytes, signed: bytes) -> None:
    """Raises InvalidSignature."""
    area = int.from_bytes(signature[4:8], "big")
    head, rest = signature[: 8 + area], signature[8 + area + 4 + 2 :]
    salt, raw = rest[1 : 1 + rest[0]], rest[1 + rest[0] :]
    digest = hashlib.sha512(salt + signed + v6_trailer(head)).digest()
    assert digest[:2] == signature[8 + area + 4 :][:2]
    Ed25519PublicKey.from_public_bytes(PACKETS[0][10:]).verify(raw, digest)


def test_builder_and_reader_write_the_key_and_its_fingerprint_as_the_rfc_has_them(key: KeyRecord) -> None:
    assert pinned_v6_body(key) == PACKETS[0]
    assert v6_framed_key(key) == v6_framed(PACKETS[0])
    assert openpgp_v6_fingerprint(key) == FINGERPRINT


def test_a_key_alone_and_a_key_with_its_subkey_are_hashed_as_the_rfc_has_them(key: KeyRecord) -> None:
    _, direct, subkey, binding = PACKETS
    assert (direct[1], binding[1]) == (0x1F, 0x18)
    verify(key, direct, v6_framed_key(key))
    verify(key, binding, v6_framed_key(key) + v6_framed(subkey))


def test_a_signed_text_is_read_and_hashed_as_the_rfc_has_it(key: KeyRecord) -> None:
    text, armoured = read_text(BytesSource(TEXT), 6)
    assert text == b"What we need from the grocery store:\n\n- tofu\n- vegetables\n- noodles\n\n"
    assert armoured is not None
    [(tag, signature)] = packets(dearmor(armoured, "SIGNATURE", checksum=False))
    assert (tag, signature[1]) == (2, 0x01)
    verify(key, signature, canonical(text))
