"""A content key sealed to a certificate of an elliptic curve: ECDH with a fresh key, AES key wrap.

    KeyAgreeRecipientInfo [1] { 3, [0] { [1] originator's public key }, algorithm, { { issuer and serial, key } } }

Source: RFC 5753, 3.1.1 (ephemeral-static ECDH), 7.1.4 (dhSinglePass-stdDH-sha256kdf-scheme), 7.2 (shared info);
RFC 3565, 2.3.2 (id-aes256-wrap).
"""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF
from cryptography.hazmat.primitives.keywrap import aes_key_wrap
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hsmpub.envelope import der
from hsmpub.envelope.cms import AGREEMENT, issuer_and_serial

CURVES = ("secp256r1", "secp384r1", "secp521r1")
_EC_PUBLIC_KEY = der.write_node(der.SEQUENCE, bytes.fromhex("06072a8648ce3d0201"))
#: Without parameters, as RFC 3565 has it.
_AES256_WRAP = der.write_node(der.SEQUENCE, bytes.fromhex("060960864801650304012d"))
_SHA256_KDF = bytes.fromhex("06062b8104010b01")
_WRAP_BYTES = 32


def agreement_info(certificate: x509.Certificate, public: ec.EllipticCurvePublicKey, key: bytearray) -> bytes:
    """KeyAgreeRecipientInfo, version 3, for one recipient by issuer and serial number. key: of 16, 24 or 32 bytes."""
    own = ec.generate_private_key(public.curve)
    bits = der.write_node(der.OCTETS, (_WRAP_BYTES * 8).to_bytes(4, "big"))
    shared_info = der.write_node(der.SEQUENCE, _AES256_WRAP + der.write_node(0xA2, bits))
    wrapping_key = X963KDF(SHA256(), _WRAP_BYTES, shared_info).derive(own.exchange(ec.ECDH(), public))
    point = own.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    originator = der.write_node(0xA1, _EC_PUBLIC_KEY + der.write_node(der.BITS, b"\0" + point))
    recipient = issuer_and_serial(certificate) + der.write_node(der.OCTETS, aes_key_wrap(wrapping_key, bytes(key)))
    return der.write_node(
        AGREEMENT,
        der.write_node(der.INTEGER, b"\3")
        + der.write_node(0xA0, originator)
        + der.write_node(der.SEQUENCE, _SHA256_KDF + _AES256_WRAP)
        + der.write_node(der.SEQUENCE, der.write_node(der.SEQUENCE, recipient)),
    )
