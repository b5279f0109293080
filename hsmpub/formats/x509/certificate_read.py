"""Reads the service's own certificates, and compares what they say with request, profile, CA and time. Builds nothing.

Source: RFC 5280, 4.1 and 4.2.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from hsmpub.formats.context import Context
from hsmpub.formats.format import Claim, OutputForAnother, OutputMalformed
from hsmpub.formats.x509.signed_read import UNREADABLE, issuer_of, read_signed
from hsmpub.model.glob import is_match
from hsmpub.model.key import KeyRecord
from hsmpub.model.profiles import CertificateProfile

_PURPOSE_OF = {
    "1.3.6.1.5.5.7.3.1": "tls-server",
    "1.3.6.1.5.5.7.3.2": "tls-client",
    "1.3.6.1.5.5.7.3.3": "code-signing",
    "1.3.6.1.5.5.7.3.8": "timestamping",
}


class CertificateMalformed(OutputMalformed):
    pass


class CertificateForAnother(OutputForAnother):
    pass


def read_issued(output: bytes, request: bytes, key: KeyRecord, context: Context | None) -> Claim:
    """What a certificate claims to be signed. request: that it was asked for with.

    Raises:
        CertificateMalformed, CertificateForAnother.
    """
    found, claim = read_signed(output, "CERTIFICATE", x509.load_der_x509_certificate, key, CertificateMalformed)
    own, asked = issuer_of(key), x509.load_pem_x509_csr(request)
    try:
        _compare(found, asked, own, context)
    except UNREADABLE:
        raise CertificateMalformed("The certificate cannot be read.") from None
    return claim


def _compare(
    found: x509.Certificate, asked: x509.CertificateSigningRequest, own: x509.Certificate, context: Context | None
) -> None:
    if found.issuer != own.subject or found.version != x509.Version.v3:
        raise CertificateForAnother("The certificate names another issuer.")
    if _spki(found) != _spki(asked):
        raise CertificateForAnother("The certificate is for another key than the request.")
    _check_leaf(found)
    hosts, wanted = _hosts(found.extensions), _hosts(asked.extensions)
    commons = [a.value for a in found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    wished = [a.value for a in asked.subject.get_attributes_for_oid(NameOID.COMMON_NAME)] or wanted[:1]
    if commons != wished or (hosts != wanted and (wanted or hosts != wished)):
        raise CertificateForAnother("The certificate has other names than the request.")
    if context is not None and context.certificate is not None:
        _check_profile(found, context.certificate, own, context.at, [*map(str, commons), *hosts])


def _check_leaf(found: x509.Certificate) -> None:
    """A certificate of this format never is a CA's, and is for one thing."""
    try:
        basic = found.extensions.get_extension_for_class(x509.BasicConstraints)
        usage = found.extensions.get_extension_for_class(x509.KeyUsage)
        purposes = list(found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        raise CertificateMalformed("The certificate does not say what it is for.") from None
    may = usage.value
    if basic.value.ca or not (basic.critical and usage.critical) or may.key_cert_sign or may.crl_sign:
        raise CertificateMalformed("The certificate is one of a CA.")
    if not may.digital_signature or len(purposes) != 1 or purposes[0].dotted_string not in _PURPOSE_OF:
        raise CertificateMalformed("The certificate is for something else than profiles can say.")


def _check_profile(
    found: x509.Certificate, profile: CertificateProfile, own: x509.Certificate, at: int,
    names: Sequence[str],
) -> None:  # fmt: skip
    [purpose] = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    if _PURPOSE_OF[purpose.dotted_string] != profile.usage:
        raise CertificateForAnother("The certificate is for something else than the profile says.")
    begins, ends = int(found.not_valid_before_utc.timestamp()), int(found.not_valid_after_utc.timestamp())
    latest = min(at + profile.seconds, int(own.not_valid_after_utc.timestamp()))
    if ends != latest or not at - 60 <= begins <= at:
        raise CertificateForAnother("The certificate is valid for another time than the profile says.")
    if not all(any(is_match(pattern, name) for pattern in profile.names) for name in names):
        raise CertificateForAnother("The certificate has a name that the profile does not take.")
    subject = {a.oid.dotted_string: a.value for a in found.subject}
    wanted = {NameOID.COUNTRY_NAME.dotted_string: profile.country,
              NameOID.ORGANIZATION_NAME.dotted_string: profile.organization}  # fmt: skip
    common = NameOID.COMMON_NAME.dotted_string
    if {oid: value for oid, value in subject.items() if oid != common} != {o: v for o, v in wanted.items() if v}:
        raise CertificateForAnother("The certificate's subject is not the profile's.")
    usual = {"2.5.29.19", "2.5.29.15", "2.5.29.37", "2.5.29.14", "2.5.29.35"}
    usual |= {"2.5.29.17"} if _hosts(found.extensions) else set()
    usual |= {"2.5.29.31"} if profile.crl_url else set()
    if {extension.oid.dotted_string for extension in found.extensions} != usual:
        raise CertificateForAnother("The certificate has other extensions than the profile's.")
    if profile.crl_url and _crl_url(found) != profile.crl_url:
        raise CertificateForAnother("The certificate names another place for the list of revoked ones.")


def _crl_url(found: x509.Certificate) -> str:
    [point] = found.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    return " ".join(str(place.value) for place in point.full_name or ())


def _hosts(extensions: x509.Extensions) -> list[str]:
    try:
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(name.value) for name in names]


def _spki(found: x509.Certificate | x509.CertificateSigningRequest) -> bytes:
    encoded = found.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(encoded).digest()
