"""X.509 certificates of the certifying key (self-signed) and of the decryption key (issued by it), for CMS.

CMS encrypts to certificates only. Nobody has to trust the issuer for that: whoever has trust.json compares the keys.
The extensions say what each key is for, so that a tool refuses the one for signatures and the other for encryption.
Source: RFC 5280, 4.1.2.5 (no well-defined expiration date) and 4.2.1.3 (key usage).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from hsmpub.errors import Broken
from hsmpub.formats.hsm_key import HsmEcKey, SignDigest
from hsmpub.formats.public_key import load_encryption_key, load_public
from hsmpub.formats.purposes import KeyKindUnfit
from hsmpub.model.key import KeyRecord

_NEVER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


class X509Differs(Broken):
    advice = "Do not use the certificate: compare trust.json with another participant's."


def build_certificates(
    certifier: KeyRecord, key: KeyRecord, service: str, *, at: int, sign: SignDigest
) -> tuple[str, str]:
    """Both certificates in PEM: of `certifier`, and of `key`.

    Args:
        service: named in both. at: their beginning, seconds since 1970; they do not expire.
        sign: with `certifier`.

    Raises:
        KeyKindUnfit: the certifier is no P-256 key. PublicKeyUnfit.
    """
    public = _public(certifier)
    issuer, subject = _name(service, certifier.name), _name(service, key.name)
    own, decrypts = _may(certify=True), _may(encipher=True)
    private = HsmEcKey(public, sign)
    authority = (x509.BasicConstraints(ca=True, path_length=0), own)
    made = [
        _build(issuer, issuer, public, at, authority, private, public),
        _build(subject, issuer, load_encryption_key(key), at,
               (x509.BasicConstraints(ca=False, path_length=None), decrypts), private, public),
    ]  # fmt: skip
    return made[0], made[1]


def check_certificates(certifier: KeyRecord, key: KeyRecord) -> None:
    """Verifies that the certificates of both records are of their keys, and signed by the pinned certifier.

    Raises:
        X509Differs, PublicKeyUnfit.
    """
    issuer = _public(certifier)
    for record, public in ((certifier, issuer), (key, load_encryption_key(key))):
        try:
            certificate = x509.load_pem_x509_certificate(record.certificates.encode())
            issuer.verify(certificate.signature, certificate.tbs_certificate_bytes, ec.ECDSA(SHA256()))
        except (ValueError, InvalidSignature):
            raise X509Differs(f"The X.509 certificate of {record.name!r} is not signed by the pinned key.") from None
        if certificate.public_key() != public:
            raise X509Differs(f"The X.509 certificate of {record.name!r} is of another key.")


def _public(certifier: KeyRecord) -> ec.EllipticCurvePublicKey:
    public = load_public(certifier)
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise KeyKindUnfit(f"The key {certifier.name!r} is no P-256 key.")
    return public


def _name(service: str, key: str) -> x509.Name:
    return x509.Name([
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, service[:64]), x509.NameAttribute(NameOID.COMMON_NAME, key),
    ])  # fmt: skip


def _may(*, certify: bool = False, encipher: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=encipher, data_encipherment=False,
        key_agreement=False, key_cert_sign=certify, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _build(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey | RSAPublicKey, at: int,
    says: Sequence[x509.ExtensionType], private: HsmEcKey, authority: ec.EllipticCurvePublicKey,
) -> str:  # fmt: skip
    identifier = x509.SubjectKeyIdentifier.from_public_key(public)
    builder = x509.CertificateBuilder(
        issuer, subject, public, int.from_bytes(hashlib.sha256(identifier.digest).digest()[:16], "big") >> 1 | 1,
        datetime.fromtimestamp(at, UTC), _NEVER,
    )  # fmt: skip
    for extension in says:
        builder = builder.add_extension(extension, critical=True)
    builder = builder.add_extension(identifier, critical=False)
    builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority), critical=False)
    return builder.sign(private, SHA256()).public_bytes(Encoding.PEM).decode()
