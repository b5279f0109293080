"""Certificates that CMS encrypts to, and a content key sealed to one: RSAES-OAEP with SHA-256, or key agreement.

Source: RFC 5652, 6.2.1; RFC 3560.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import textwrap

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from hsmpub.envelope import der
from hsmpub.envelope.cms import OAEP_SHA256_PARAMETERS, issuer_and_serial
from hsmpub.envelope.cms_agreement import CURVES, agreement_info
from hsmpub.envelope.recipient import Recipient
from hsmpub.envelope.rules import RecipientRefused

_OAEP_OID = bytes.fromhex("06092a864886f70d010107")
_PREFIX = "x509 "


def load_cms_recipient(text: str) -> Recipient:
    """A recipient out of `x509 BASE64`, the DER of a certificate.

    Raises:
        RecipientRefused.
    """
    try:
        data = binascii.a2b_base64(text.removeprefix(_PREFIX), strict_mode=True)
        certificate = x509.load_der_x509_certificate(data)
        public = certificate.public_key()
    except (binascii.Error, ValueError):
        raise RecipientRefused("This names no X.509 certificate.") from None
    if not text.startswith(_PREFIX) or cms_recipient_text(certificate) != text:
        raise RecipientRefused("This names no X.509 certificate.")
    if isinstance(public, RSAPublicKey) and 2048 <= public.key_size <= 8192:
        return Recipient("cms", text, _fingerprint(data), lambda key: _recipient_info(certificate, public, key))
    if isinstance(public, EllipticCurvePublicKey) and public.curve.name in CURVES:
        return Recipient("cms", text, _fingerprint(data), lambda key: agreement_info(certificate, public, key))
    raise RecipientRefused("The certificate's key is neither RSA of 2048 to 8192 bits nor of a NIST curve.")


def cms_recipient_text(certificate: x509.Certificate) -> str:
    return _PREFIX + base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()


def recipient_of_x509(certificate: bytes) -> Recipient:
    """certificate: in PEM or DER. Raises RecipientRefused."""
    load = x509.load_pem_x509_certificate if b"-----BEGIN" in certificate else x509.load_der_x509_certificate
    try:
        return load_cms_recipient(cms_recipient_text(load(certificate)))
    except ValueError:
        raise RecipientRefused("The X.509 certificate cannot be read.") from None


def _recipient_info(certificate: x509.Certificate, public: RSAPublicKey, key: bytearray) -> bytes:
    """KeyTransRecipientInfo, version 0: by issuer and serial number."""
    block = public.encrypt(bytes(key), OAEP(MGF1(SHA256()), SHA256(), None))
    algorithm = der.write_node(der.SEQUENCE, _OAEP_OID + OAEP_SHA256_PARAMETERS)
    version = der.write_node(der.INTEGER, b"\0")
    return der.write_node(
        der.SEQUENCE, version + issuer_and_serial(certificate) + algorithm + der.write_node(der.OCTETS, block)
    )


def _fingerprint(data: bytes) -> str:
    """As `openssl x509 -fingerprint -sha256` prints it."""
    return ":".join(textwrap.wrap(hashlib.sha256(data).hexdigest().upper(), 2))
