"""An X.509 certificate for the key of a signing request, by a profile of the policy.

The file is the request. Of it, the key (which it proves to hold), the common name and host names go in, each judged by
the profile; serial number, times, subject and every extension are the service's. The serial number follows from the
request's random name. A CA's key signs certificates and lists of revoked ones, and nothing else.
Source: RFC 5280, 4.1 and 4.2; RFC 3161, 2.3; CA/Browser Forum, Baseline Requirements, 7.1.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hsmpub.errors import Invalid
from hsmpub.formats.base import Detached
from hsmpub.formats.context import Context
from hsmpub.formats.format import Artifact, Claim, Prepared
from hsmpub.formats.public_key import spki_sha256
from hsmpub.formats.purposes import check_may_make
from hsmpub.formats.source import Source
from hsmpub.formats.whole import whole_of
from hsmpub.formats.x509.asked import MOST_BYTES, Asked, RequestMalformed, read_request
from hsmpub.formats.x509.authority import (
    HASH,
    KINDS,
    Authority,
    is_within,
    load_authority,
    prepared_of,
    signed,
    unsigned_by,
)
from hsmpub.formats.x509.certificate_read import read_issued
from hsmpub.formats.x509.grant import CertifiedKeyUnfit, Granted, NameNotAllowed, grant
from hsmpub.model.key import KeyRecord
from hsmpub.model.profiles import CertificateProfile, CertificateUsage
from hsmpub.model.said import CertificateSaid

#: So many seconds may the clock of whoever checks be behind.
LEEWAY = 60
_PURPOSES: dict[CertificateUsage, x509.ObjectIdentifier] = {
    "tls-server": ExtendedKeyUsageOID.SERVER_AUTH,
    "tls-client": ExtendedKeyUsageOID.CLIENT_AUTH,
    "code-signing": ExtendedKeyUsageOID.CODE_SIGNING,
    "timestamping": ExtendedKeyUsageOID.TIME_STAMPING,
}


class CertificateProfileMissing(Invalid):
    advice = "The policy says in [project.NAME.certificate] what is certified."


def in_words(request: bytes, key: KeyRecord, profile: CertificateProfile, at: int) -> str:
    """What a request would have certified, for people who approve it. Raises what `X509Certificate.prepare` raises."""
    asked, granted = _granted(request, key, profile, at)
    hosts = ", ".join(granted.hosts) or "no hosts"
    subject, digest = _subject(granted, profile).rfc4514_string(), hashlib.sha256(asked.spki).hexdigest()
    return f"{subject}; {hosts}; {profile.usage}, {profile.seconds} seconds; {asked.key} key, SHA-256 {digest}"


class X509Certificate(Detached):
    """`.crt`, PEM; signed with P-256 or RSA-3072."""

    name = "x509-certificate"
    suffix = ".crt"
    key_kinds = KINDS
    detail_limit = MOST_BYTES

    def extract(self, source: Source) -> bytes:
        """The request."""
        if source.size > MOST_BYTES:
            raise RequestMalformed(f"A certificate request has up to {MOST_BYTES:,} bytes.")
        data = source.read(0, source.size)
        read_request(data)
        return data

    def prepare(self, artifact: Artifact, key: KeyRecord, context: Context) -> Prepared:
        """Raises what every format raises, CertificateProfileMissing, and the rules of asked, grant and authority."""
        check_may_make(self, key)
        profile = context.certificate
        if profile is None:
            raise CertificateProfileMissing("The request names no profile for certificates.")
        asked, granted = _granted(whole_of(artifact, self), key, profile, context.at)
        serial = _serial(artifact, context)
        return _prepared(asked, granted, profile, load_authority(key, context.at), key, context.at, serial)

    def assemble(self, prepared: Prepared, signature: bytes) -> bytes:
        return signed(prepared, signature, "CERTIFICATE")

    def read(self, output: bytes, artifact: Artifact, key: KeyRecord, context: Context | None = None) -> Claim:
        return read_issued(output, whole_of(artifact, self), key, context)


def _granted(request: bytes, key: KeyRecord, profile: CertificateProfile, at: int) -> tuple[Asked, Granted]:
    asked, authority = read_request(request), load_authority(key, at)
    granted = grant(asked, profile)
    if hashlib.sha256(asked.spki).digest() == spki_sha256(key.public):
        raise CertifiedKeyUnfit("The request is for the CA's own key.")
    for host in granted.hosts:
        if not is_within(host, authority):
            raise NameNotAllowed(f"The CA's own certificate does not let it certify {host!r}.")
    return asked, granted


def _serial(artifact: Artifact, context: Context) -> int:
    """Another one for each file of each request, whose name is random: 127 bits of a hash."""
    parts = (b"hsmpub x509 serial", context.request.encode(), artifact.name.encode(), artifact.state.digest())
    return int.from_bytes(hashlib.sha256(b"\0".join(parts)).digest()[:16], "big") | 1 << 127


def _prepared(
    asked: Asked, granted: Granted, profile: CertificateProfile, authority: Authority, key: KeyRecord, at: int,
    serial: int,
) -> Prepared:  # fmt: skip
    after = min(at + profile.seconds, authority.valid_until)
    subject = _subject(granted, profile)
    builder = (
        x509.CertificateBuilder(subject_name=subject, issuer_name=authority.name, serial_number=serial)
        .not_valid_before(_time(max(at - LEEWAY, authority.valid_from)))
        .not_valid_after(_time(after))
    )
    public = load_der_public_key(asked.spki)
    if not isinstance(public, ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey):
        raise CertifiedKeyUnfit("The request is for a key of no kind that is certified.")
    builder = builder.public_key(public)
    enciphers = profile.usage == "tls-server" and isinstance(public, rsa.RSAPublicKey)
    for extension, critical in (
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_key_usage(enciphers=enciphers), True),
        (x509.ExtendedKeyUsage([_PURPOSES[profile.usage]]), profile.usage == "timestamping"),
        (x509.SubjectKeyIdentifier.from_public_key(public), False),
        (authority.identifier, False),
        *([(x509.SubjectAlternativeName(map(x509.DNSName, granted.hosts)), False)] if granted.hosts else []),
        *([(_crl_at(profile.crl_url), False)] if profile.crl_url else []),
    ):
        builder = builder.add_extension(extension, critical)
    said = CertificateSaid(key.name, f"{serial:x}", subject.rfc4514_string(), granted.hosts,
                           hashlib.sha256(asked.spki).hexdigest(), after)  # fmt: skip
    return prepared_of(builder.sign(unsigned_by(key), HASH).tbs_certificate_bytes, key, said)


def _subject(granted: Granted, profile: CertificateProfile) -> x509.Name:
    parts = ((NameOID.COUNTRY_NAME, profile.country), (NameOID.ORGANIZATION_NAME, profile.organization),
             (NameOID.COMMON_NAME, granted.common_name))  # fmt: skip
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts if value])


def _key_usage(*, enciphers: bool) -> x509.KeyUsage:
    others = ("content_commitment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign",
              "encipher_only", "decipher_only")  # fmt: skip
    return x509.KeyUsage(digital_signature=True, key_encipherment=enciphers, **dict.fromkeys(others, False))


def _crl_at(url: str) -> x509.CRLDistributionPoints:
    where = [x509.UniformResourceIdentifier(url)]
    return x509.CRLDistributionPoints([x509.DistributionPoint(where, None, None, None)])


def _time(at: int) -> datetime:
    return datetime.fromtimestamp(at, UTC)
