"""Boxes: HPKE to an X25519 key, the one way in which secrets travel between processes and machines.

Source: RFC 9180, base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. A box is
`encapsulated key (32 bytes) || ciphertext || tag (16 bytes)`, so it is 48 bytes longer than its content.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from hsmpub.errors import Invalid

_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class BoxKeyMalformed(Invalid):
    """The key of a box is not a usable X25519 key."""

    advice = "Use the raw 32-byte X25519 key that the other side published."


class BoxNotOpened(Invalid):
    """The box was sealed to another key or for another purpose, or was altered on the way."""

    advice = "Seal it again to the key that is published now."


def seal_box(public: bytes, info: bytes, data: bytes | bytearray | memoryview) -> bytes:
    """Seals `data` so that only the holder of the private key can open it.

    Args:
        public: raw X25519 public key, exactly 32 bytes (not hex).
        info: purpose and context; opening needs the same bytes.
        data: what to seal; a bytearray or a `SecretPage.view` is read in place, without a copy.

    Returns:
        The box, `len(data) + 48` bytes.

    Raises:
        BoxKeyMalformed: `public` is not 32 bytes, or is a point of small order.
    """
    try:
        return _SUITE.encrypt(data, X25519PublicKey.from_public_bytes(public), info)
    except ValueError as error:
        raise BoxKeyMalformed("The public key of the box is not an X25519 key.") from error


def open_box(private: bytes | bytearray | memoryview, info: bytes, box: bytes) -> bytes:
    """Opens a box.

    Args:
        private: raw X25519 private key, exactly 32 bytes (not hex); read in place.
        info: the bytes it was sealed with.
        box: as `seal_box` returned it.

    Returns:
        The content, as `bytes` that cannot be wiped: open boxes only in processes that end soon.

    Raises:
        BoxKeyMalformed: `private` is not 32 bytes.
        BoxNotOpened: another key, another purpose, or altered bytes; which of them cannot be told.
    """
    try:
        key = X25519PrivateKey.from_private_bytes(private)
    except ValueError as error:
        raise BoxKeyMalformed("The private key of the box is not an X25519 key.") from error
    try:
        return _SUITE.decrypt(box, key, info)
    except (InvalidTag, ValueError) as error:
        raise BoxNotOpened("The box does not open with this key for this purpose.") from error
